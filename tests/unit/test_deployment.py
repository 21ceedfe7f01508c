"""The files in deploy/ and docker-compose.yml fit the programs that they deploy."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from pydantic_settings import BaseSettings

import consumer.settings
import producer.settings
from consumer.metrics.learning import Metrics
from producer.metrics import TallyCollector
from producer.publisher import Tally
from service import cli

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS: dict[str, type[BaseSettings]] = {
    "producer": producer.settings.Settings,
    "consumer": consumer.settings.Settings,
}
PROGRAMS = {name: service["command"][2] for name, service in SERVICES.items() if "build" in service}
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
DASHBOARD = runpy.run_path(str(GRAFANA / "dashboards.py"))
PANELS = [panel for panel in DASHBOARD["build"]()["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
EXAMPLE = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def interpolated(text: object, variables: dict[str, str]) -> str:
    return VARIABLE.sub(lambda match: variables.get(match[1], match[2]), str(text))


def parsed(name: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> BaseSettings:
    """Parse the options of a service as its program would, with these variables in .env."""
    for variable, value in SERVICES[name]["environment"].items():
        given = variables.get(variable) if value is None else interpolated(value, variables)
        if given is not None:
            monkeypatch.setenv(variable, given)
    python, dash_m, program, *arguments = SERVICES[name]["command"]
    assert (python, dash_m) == ("python", "-m")
    return cli.parse(SETTINGS[program], [interpolated(flag, variables) for flag in arguments])


@pytest.mark.parametrize("file", ["docker-compose.yml", "deploy/gpu.yml"])
def test_compose_files_follow_the_compose_specification(file: str) -> None:
    """Docker Compose understands the file, as far as its JSON Schema tells."""
    check = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """An image from a registry has the tag of one release; newsreel's own is built here."""
    service = SERVICES[name]
    if "build" in service:
        assert service["image"] == "newsreel:local"
    else:
        assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+\.\d+", service["image"])


def test_base_image_is_pinned() -> None:
    """The Dockerfile starts from one release of Python, everywhere the same."""
    bases = set(re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


def test_ports_are_open_to_this_host_only() -> None:
    """Kafka, Prometheus and the consumer ask for no password, so nobody else may reach them."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_nothing_runs_as_root_or_gains_privileges() -> None:
    """Every service gives up its capabilities; newsreel's image names a user by number."""
    for service in SERVICES.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in service
    assert re.search(r"^USER [1-9]\d*$", dockerfile(), re.MULTILINE)


@pytest.mark.parametrize("name", PROGRAMS)
def test_services_start_their_program_with_options_it_has(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an .env file, flags and environment of each service are options with good values."""
    parsed(name, monkeypatch, {})


@pytest.mark.parametrize("name", PROGRAMS)
def test_environment_names_options_of_the_program(name: str) -> None:
    """A variable PRODUCER_X or CONSUMER_X is the option X; a slip would be ignored in silence."""
    program = PROGRAMS[name]
    prefix = f"{program}_".upper()
    options = {prefix + field.upper() for field in SETTINGS[program].model_fields}
    others = {"KAFKA_BOOTSTRAP_SERVERS", "HF_TOKEN"}
    assert set(SERVICES[name]["environment"]) <= options | others


@pytest.mark.parametrize("name", PROGRAMS)
def test_example_settings_are_good_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever line of .env.example is taken out of its comment, the programs accept it."""
    parsed(name, monkeypatch, EXAMPLE)


def test_example_names_every_setting() -> None:
    """.env.example has all the variables that the compose files read, and no other."""
    texts = [(ROOT / name).read_text() for name in ("docker-compose.yml", "deploy/gpu.yml")]
    read = {name for text in texts for name, _ in VARIABLE.findall(text)}
    passed_on = {
        variable
        for service in SERVICES.values()
        for variable, value in service.get("environment", {}).items()
        if value is None
    }
    assert set(EXAMPLE) == read | passed_on


def test_a_topic_of_ones_own_has_checkpoints_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another topic or group starts afresh; the consumer refuses checkpoints of other ones."""
    settings = parsed("consumer", monkeypatch, {"CONSUMER_TOPIC": "t", "CONSUMER_GROUP": "g"})
    assert isinstance(settings, consumer.settings.Settings)
    assert (settings.topic, settings.group) == ("t", "g")
    assert settings.checkpoint_dir == Path("/checkpoints/g/t")


def test_examination_finds_the_heldout_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker compose exec consumer python -m consumer evaluate` reads what `heldout` published."""
    heldout = parsed("heldout", monkeypatch, {})
    parsed("consumer", monkeypatch, {})
    arguments = ["--checkpoint=/checkpoints/newsreel/documents"]
    examination = cli.parse(consumer.settings.EvaluateSettings, arguments)
    assert isinstance(heldout, producer.settings.Settings)
    assert examination.topic == heldout.topic


def test_services_that_are_waited_for_can_be() -> None:
    """A service is waited for until it is healthy only if it has a health check."""
    for service in SERVICES.values():
        for name, dependency in service.get("depends_on", {}).items():
            if dependency["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]


def mounts() -> Iterator[tuple[str, str]]:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            yield source, target


def test_mounted_files_exist_and_volumes_are_declared() -> None:
    """Docker would make an empty folder of a path that is missing."""
    sources = {source for source, _ in mounts()}
    files = {source for source in sources if source.startswith(".")}
    assert files
    assert all((ROOT / file).exists() for file in files)
    assert sources - files == set(COMPOSE["volumes"])


def dockerfile() -> str:
    return (ROOT / "deploy" / "Dockerfile").read_text()


def test_image_has_every_package() -> None:
    """What pyproject.toml lists is copied, and reaches the builder, but for three of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.split(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile(), re.MULTILINE))
    assert copied == packages - {"benchmarks", "demo", "soak"}
    let_through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert let_through == copied | {"pyproject.toml", "constraints.txt"}


def test_image_has_the_constrained_versions() -> None:
    """What comes from PyPI is installed in the versions of constraints.txt."""
    installs = re.findall(r"^RUN pip install (.*)$", dockerfile(), re.MULTILINE)
    assert all("--constraint /tmp/constraints.txt" in it or "--no-deps" in it for it in installs)
    assert len(installs) == 2


def test_prometheus_scrapes_what_the_services_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target is a service, at the port that its program serves metrics on, on any address."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]
    }
    learning = parsed("consumer", monkeypatch, {})
    publishing = parsed("producer", monkeypatch, {})
    assert isinstance(learning, consumer.settings.Settings)
    assert isinstance(publishing, producer.settings.Settings)
    assert targets == {
        "consumer": [f"consumer:{learning.http_port}"],
        "producer": [f"producer:{publishing.metrics_port}"],
    }
    assert {learning.http_host, publishing.metrics_host} == {"0.0.0.0"}


def test_grafana_is_given_its_data_source_and_dashboards() -> None:
    """The data source is the Prometheus beside it; dashboards are read where they are mounted."""
    provisioning = GRAFANA / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((provisioning / "dashboards/newsreel.yml").read_text())[
        "providers"
    ]
    assert ("./deploy/grafana/dashboards", provider["options"]["path"]) in mounts()


def test_committed_dashboard_is_what_the_module_builds() -> None:
    """Nobody edits the JSON by hand, or forgets to write it anew."""
    written = DASHBOARD["FILE"].read_text()
    assert written == DASHBOARD["render"](), "run deploy/grafana/dashboards.py"


def metric_names() -> set[str]:
    """Return the names of everything that consumer and producer export, as Prometheus stores it."""
    registry = CollectorRegistry()
    Metrics(registry).began(Path(os.devnull), None)
    registry.register(TallyCollector(Tally()))
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    return {
        family.name + suffix
        for family in registry.collect()
        for suffix in suffixes.get(family.type, [""])
    }


def test_dashboard_asks_for_metrics_that_exist() -> None:
    """A metric that is renamed must not leave an empty panel behind."""
    asked = {name for expr in QUERIES for name in re.findall(r"\bnewsreel_\w+", expr)}
    assert len(asked) > 10
    assert asked <= metric_names()


def test_panels_explain_themselves() -> None:
    """Each panel says what it shows, and asks the data source that the reader has chosen."""
    assert all(panel["description"] for panel in PANELS)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)


def test_panels_do_not_overlap() -> None:
    """No two panels share a cell of the page's grid, 24 columns wide."""
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        taken = {(column, row) for column in columns for row in rows}
        assert not taken & cells
        assert columns.stop <= 24
        cells |= taken
