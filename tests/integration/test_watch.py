"""Held-out evaluation beside a consumer: `python -m consumer evaluate --watch`."""

import json
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from helpers import Consumer, Learn, Publish, Start, documents, started
from kafka import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from consumer import __main__ as program
from consumer.checkpoints.manifest import MANIFEST, Manifest
from consumer.checkpoints.store import CheckpointStore
from consumer.heldout.topic import HeldOutTopic
from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import Document
from newsreel.events.topics import Names

SUMS = ("--learner", "blend", "--experts", "analytic,bayes")
"""Experts that forget soon; the analytic expert uses frozen layers."""

HERE = ("--precision", "fp32", "--runtime", "torch")

Evaluate = Callable[[], AbstractContextManager[Consumer]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def evaluator(bootstrap_servers: str, topic: str, folder: Path, tmp_path: Path) -> Evaluate:
    """Start an evaluator; it is killed when the block ends."""

    def start() -> AbstractContextManager[Consumer]:
        log = tmp_path / f"evaluator-{time.monotonic_ns()}.log"
        options = ("--checkpoint", folder, "--topic", Names.of(topic).heldout, "--http-port", 0)
        return started(log, bootstrap_servers, "evaluate", "--watch", *options, *HERE)

    return start


def metrics(evaluator: Consumer) -> dict[str, float]:
    """Return the exported values by name and label."""
    return {
        " ".join([sample.name.removeprefix("newsreel_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(evaluator.get("/metrics"))
        for sample in family.samples
        if sample.name.startswith("newsreel_")
    }


def wait_for_evaluation(evaluator: Consumer, count: int) -> dict[str, float]:
    """Wait until the checkpoint at a number of documents is evaluated; return the metrics."""
    name = "heldout_checkpoint_documents"
    evaluator.wait_for(lambda: metrics(evaluator).get(name) == count)
    return metrics(evaluator)


def test_beside_a_consumer(
    publish: Publish,
    consumer: Start,
    evaluator: Evaluate,
    topic: str,
    folder: Path,
    bootstrap_servers: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The evaluator waits, follows commits, agrees with `evaluate`, and survives SIGKILL."""
    heldout = [*documents(40, start=1000), Document("new", "quiet", "unknown label")]
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    publish(topic, documents(96))
    options = (*SUMS, "--checkpoint-every", 32, "--checkpoint-seconds", 2)
    with evaluator() as watching:
        watching.wait_for(lambda: "no checkpoint was committed yet" in watching.log)
        with pytest.raises(HTTPError, match="503"):
            watching.get("/readyz")
        with consumer(topic, *options) as learning:
            watching.wait_for(lambda: "no held-out document was published yet" in watching.log)
            publish(Names.of(topic).heldout, heldout)
            found = wait_for_evaluation(watching, 96)
            assert watching.get("/readyz") == "ok"

            capsys.readouterr()
            where = ("--checkpoint", str(folder), "--topic", Names.of(topic).heldout)
            program.evaluate([*where, *HERE])
            report = json.loads(capsys.readouterr().out)
            for measure in ("accuracy", "macro_f1", "kappa", "documents"):
                assert found[f"heldout_{measure}"] == pytest.approx(report[f"heldout_{measure}"])
            for label, recall in report["recall"].items():
                assert found[f"heldout_recall {label}"] == recall
            assert report["documents_read"] == 96
            assert found["heldout_documents"] == 41
            assert found["heldout_accuracy"] > 0.9
            assert found["heldout_recall unknown label"] == 0
            assert found["forgetting unknown label"] == 0

            watching.end(signal.SIGKILL)
            swapped = {"sport": "space", "space": "sport"}
            publish(
                topic,
                [
                    replace(document, label=swapped[str(document.label)])
                    for document in documents(256, start=96)
                ],
            )
            learning.wait_for(lambda: learning.progress()["documents"] == 96 + 256)
            assert learning.end(signal.SIGTERM) == 0
    with evaluator() as again:
        later = wait_for_evaluation(again, 96 + 256)
        forgotten = found["heldout_recall sport"] - later["heldout_recall sport"]
        assert forgotten > 0.2
        assert later["forgetting sport"] == pytest.approx(forgotten)
        assert later["forgetting_mean"] > 0.1
        assert later["heldout_failures_total"] == 0
        assert again.end(signal.SIGTERM) == 0
    curve = json.loads((folder / ".heldout.json").read_text())["curve"]
    assert [point[0] for point in curve][-2:] == [96, 96 + 256]


def test_uncommitted_checkpoint(
    publish: Publish,
    learn: Learn,
    topic: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An uncommitted checkpoint is evaluated only if the option names the checkpoint itself."""
    publish(topic, documents(48))
    publish(Names.of(topic).heldout, documents(8, start=1000))
    learn(topic, "--stop-after", 48, "--learner", "bayes")
    (committed,) = CheckpointStore(folder, keep=1).ids()
    newer = f"{committed[:12]}-000099-{'0' * 8}"
    shutil.copytree(folder / committed, folder / newer)
    manifest = replace(Manifest.read(folder / committed), id=newer)
    (folder / newer / MANIFEST).write_bytes(manifest.encode())
    found = []
    for path in (folder, folder / committed, folder / newer):
        capsys.readouterr()
        program.evaluate(["--checkpoint", str(path), "--topic", Names.of(topic).heldout])
        found.append(json.loads(capsys.readouterr().out)["checkpoint"])
    assert found == [committed, committed, newer]


def test_growing_topic(publish: Publish, connection: Connection, topic: str) -> None:
    """New labelled documents are read; a topic that was created again is read from its start."""
    heldout = HeldOutTopic(connection, topic, RecordReader.build(RecordConfig()))
    assert heldout.read() == []
    records: list[Any] = [*documents(5), b"not a document", Document("unlabelled", "text")]
    publish(topic, records, partitions=2)
    assert {document.id for document in heldout.read()} == {f"doc-{number}" for number in range(5)}
    publish(topic, [Document("doc-0", "other text", "sport"), *documents(3, start=5)], 2)
    texts = {document.id: document.text for document in heldout.read()}
    assert len(texts) == 8
    assert texts["doc-0"] == "other text"
    with kafka.admin(connection) as admin:
        delete(admin, topic)
    publish(topic, documents(1, start=20), partitions=2)
    assert [document.id for document in heldout.read()] == ["doc-20"]


def delete(admin: KafkaAdminClient, topic: str) -> None:
    admin.delete_topics([topic])
    while kafka.partitions(admin, topic):
        time.sleep(0.1)
