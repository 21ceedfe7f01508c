"""Prometheus scrapes a learning consumer: all queries of boards and alerts have data."""

import csv
import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from forks import Fork
from helpers import ROOT, SMALL, documents
from kafka import KafkaProducer

from boards import __main__ as boards
from consumer.monitoring.heldout_definitions import HELD_OUT
from consumer.monitoring.learning_definitions import LEARNING
from harness.broker import free_port
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import encode
from newsreel.events.topics import Names

DEPLOYED = ROOT / "deploy" / "prometheus"

LEARNED = 160

WRONG = 0.2
"""Share of wrong labels, so that the confusion of labels has data."""

RATE = 40

SCENARIO = "shuffled,noise:share=0.01,delayed-labels:mean=20"

PATIENCE = "3s"
"""Timeout of a scrape of the evaluator."""

VARIABLES = {"$consumer": "consumer", "$evaluator": "evaluator", "$producer": "producer"}

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="needs Prometheus and promtool: apt-get install prometheus",
)

BOARDS = [
    pytest.param(target["expr"], id=f"{file.stem}: {panel['title']}, {target['refId']}")
    for file, board in boards.build().items()
    for panel in board["panels"]
    for target in panel.get("targets", [])
]

NOTES = [
    pytest.param(note["expr"], id=note["name"])
    for note in next(iter(boards.build().values()))["annotations"]["list"]
    if note["name"] not in {"Takeovers", "Alerts", "Drifts"}  # the stream has none of these
]

RULES = yaml.safe_load((DEPLOYED / "rules" / "newsreel.yml").read_text())["groups"]

ALERTS = [
    pytest.param(rule["expr"], id=rule.get("alert") or rule["record"])
    for group in RULES
    for rule in group["rules"]
]


class Prometheus:
    """A Prometheus that scrapes producer, consumer and evaluator of a stream."""

    def __init__(self, address: str, consumer: str, restart: Callable[[], None]) -> None:
        self.address = address
        self.consumer = consumer
        self.restart = restart
        """Kills the consumer and starts another."""

    def value(self, expr: str) -> float:
        (sample,) = self.query(expr)
        return float(sample["value"][1])

    def query(self, expr: str) -> list[dict[str, Any]]:
        parameters = urllib.parse.urlencode({"query": expr})
        with urllib.request.urlopen(
            f"{self.address}/api/v1/query?{parameters}", timeout=10
        ) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def wait_for(self, expr: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not self.query(expr):
            assert time.monotonic() < deadline, expr
            time.sleep(0.5)


@contextmanager
def running(process: Fork | subprocess.Popen[bytes], log: Path) -> Iterator[None]:
    """Kill a process when the block ends; it must not have ended before."""
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.kill()
        process.wait()


def reachable(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=2)
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def publish(connection: Connection, topic: str) -> None:
    """Publish held-out documents, an unusable record, and a document without a label."""
    with kafka.admin(connection) as admin:
        for name in (topic, Names.of(topic).heldout):
            kafka.ensure(admin, name, 1)
    producer = KafkaProducer(**connection.options)
    for document in documents(40, start=1000):
        record = encode(document, source="tests")
        producer.send(Names.of(topic).heldout, key=record.key, value=record.value)
    for value in (b"{", b'{"text": "goal"}'):
        producer.send(topic, key=b"odd", value=value)
    producer.close()


def write_table(table: Path) -> None:
    """Write documents for the producer, a share of them with a wrong label."""
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        random = Random(0)
        rows.writerows(
            [document.text, "space" if random.random() < WRONG else document.label]
            for document in documents(12_000)
        )


def write_config(folder: Path, ports: Mapping[str, int]) -> None:
    """Write the deployed configuration with a shorter interval and the ports of this test."""
    config = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOYED / "rules" / "*.yml")]
    config["alerting"] = {}
    config["scrape_configs"] = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{ports[name]}"]}]}
        for name in ("consumer", "evaluator", "producer")
    ]
    # The evaluator has one thread: it answers late while it evaluates and other tests run.
    config["scrape_configs"][1] |= {"scrape_interval": PATIENCE, "scrape_timeout": PATIENCE}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def prometheus(
    connection: Connection, encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Start producer, consumer, evaluator and Prometheus on one stream."""
    folder, topic = tmp_path_factory.mktemp("prometheus"), f"test-{uuid.uuid4().hex[:12]}"
    ports = {name: free_port() for name in ("consumer", "evaluator", "producer", "prometheus")}
    publish(connection, topic)
    table = folder / "stream.csv"
    write_table(table)
    write_config(folder, ports)
    environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers}
    checkpoints = folder / "checkpoints"

    def fork(name: str, *command: object) -> AbstractContextManager[None]:
        log = folder / f"{name}.log"
        process = Fork(*command, environment=environment, stdout=log, stderr=log)
        return running(process, log)

    with ExitStack() as stack:
        producing = fork(
            *("producer", "producer", "--corpus", table, "--topic", topic, "--rate", RATE),
            *("--metrics-port", ports["producer"], "--scenario", SCENARIO, "--repeat", 100),
        )
        stack.enter_context(producing)
        lives = ExitStack()

        def restart() -> None:
            lives.close()
            learning = fork(
                *("consumer", "consumer", "--topic", topic, "--group", topic, *SMALL),
                *("--checkpoint-dir", checkpoints, "--checkpoint-every", 64, "--linger", 0.2),
                *("--http-port", ports["consumer"], "--model", encoder, "--late-labels"),
            )
            lives.enter_context(learning)

        stack.callback(lives.close)
        restart()
        evaluating = fork(
            *("evaluator", "consumer", "evaluate", "--watch", "--topic", Names.of(topic).heldout),
            *("--checkpoint", checkpoints, "--http-port", ports["evaluator"]),
            *("--precision", "fp32", "--runtime", "torch"),
        )
        stack.enter_context(evaluating)
        log = folder / "prometheus.log"
        command = [
            *("prometheus", "--config.file", folder / "prometheus.yml"),
            *("--storage.tsdb.path", folder / "data"),
            *("--web.listen-address", f"127.0.0.1:{ports['prometheus']}"),
        ]
        with log.open("w") as output:
            scraping = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        stack.enter_context(running(scraping, log))
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        prometheus = Prometheus(addresses["prometheus"], addresses["consumer"], restart)
        wait_until(lambda: reachable(prometheus.address + "/-/ready"))
        prometheus.wait_for(f"newsreel_learned_documents_total >= {LEARNED}")
        for _ in range(3):
            question = urllib.request.Request(
                prometheus.consumer + "/predict",
                b'{"text": "goal"}',
                {"content-type": "application/json"},
            )
            urllib.request.urlopen(question, timeout=30).read()
            time.sleep(1.2)  # a rate needs two scrapes
        prometheus.wait_for("newsreel_heldout_evaluations_total >= 2")
        prometheus.wait_for("count_over_time(newsreel_heldout_accuracy[1m]) >= 2")
        time.sleep(3)
        yield prometheus


@pytest.mark.parametrize("expr", [*BOARDS, *NOTES])
def test_panels_have_data(prometheus: Prometheus, expr: str) -> None:
    """Each query of each panel returns data within half a minute of learning."""
    for variable, value in VARIABLES.items():
        expr = expr.replace(variable, value)
    found = prometheus.query(expr.replace("$__rate_interval", "10s"))
    assert "$" not in expr.replace("$__rate_interval", "")
    assert any(sample["value"][1] != "NaN" for sample in found)


@pytest.mark.parametrize("expr", ALERTS)
def test_alerts_have_data(prometheus: Prometheus, expr: str) -> None:
    """Each metric of an alert has data."""
    names = set(re.findall(r"\b(?:newsreel_\w+|up)\b", expr))
    assert names or "newsreel:" in expr
    for name in names:
        assert prometheus.query(name), name


def test_no_alert_fires(prometheus: Prometheus) -> None:
    """No alert fires while a stream is learned in time."""
    assert prometheus.query('ALERTS{alertstate="firing"}') == []


@pytest.mark.parametrize(
    "command",
    [
        ["promtool", "check", "rules", "rules/newsreel.yml"],
        ["promtool", "test", "rules", "tests/newsreel.yml"],
        ["promtool", "check", "config", "--syntax-only", "prometheus.yml"],
    ],
    ids=lambda command: " ".join(command[1:3]),
)
def test_promtool(command: list[str]) -> None:
    """Prometheus's tool accepts rules and configuration, and the unit tests of the rules pass."""
    checked = subprocess.run(command, cwd=DEPLOYED, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_exported_metrics(prometheus: Prometheus) -> None:
    """Exactly the defined metrics are exported."""
    for job, definitions in (("consumer", LEARNING), ("evaluator", HELD_OUT)):
        found = {
            sample["metric"]["__name__"]
            for sample in prometheus.query(f'{{job="{job}", __name__=~"newsreel_.+"}}')
        }
        defined = {
            definition.exported + suffix
            for definition in definitions
            for suffix in (
                ("_bucket", "_sum", "_count") if definition.kind == "histogram" else ("",)
            )
        }
        # The client also exports the creation time of counters.
        assert {name for name in found if not name.endswith("_created")} == defined


def test_promtool_accepts_the_metrics(prometheus: Prometheus) -> None:
    """`promtool check metrics` accepts the metrics of the consumer."""
    page = urllib.request.urlopen(prometheus.consumer + "/metrics", timeout=10).read()
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()


def test_restart(prometheus: Prometheus) -> None:
    """After SIGKILL and a restart, counters neither fall nor jump, and curves have no gap."""
    curves = (
        'newsreel_prequential_accuracy{window="whole"}',
        "newsreel_heldout_accuracy",
        "newsreel_forgetting_mean",
    )
    before = prometheus.value("sum(newsreel_documents_total)")
    began, accuracy = time.time(), prometheus.value(curves[0])
    prometheus.restart()
    prometheus.wait_for(f"sum(newsreel_documents_total) > {before + LEARNED}")
    after = prometheus.value("sum(newsreel_documents_total)")
    lasted = f"{time.time() - began + 30:.0f}s"
    for counter in ("documents", "learned_documents", "replayed_documents", "checkpoints"):
        resets = prometheus.query(f"sum(resets(newsreel_{counter}_total[{lasted}]))")
        assert [float(sample["value"][1]) for sample in resets] == [0.0]
    # New documents, and those that are learned again: 64 since the commit, and the queue.
    assert after - before <= RATE * (time.time() - began) + 3 * 64
    assert abs(prometheus.value(curves[0]) - accuracy) < 0.1
    for series in curves:
        assert prometheus.query(series)
    # Evaluation continued during the restart.
    since = time.time() - began
    scrapes = prometheus.value(f"count_over_time(newsreel_heldout_accuracy[{since:.0f}s])")
    assert scrapes > since / 10
