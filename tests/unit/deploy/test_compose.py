"""docker-compose.yml fits the programs that it starts, and the mounted files exist."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment import options, parsed, split
from helpers import ROOT
from pydantic_settings import BaseSettings

import consumer.settings
import producer.settings

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

OURS = [name for name, service in SERVICES.items() if "build" in service]

ENDING = ["topics", "heldout"]
"""Services that finish and end."""

VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")

EXAMPLE = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))

UNFIT = {
    *("--http-token", "--http-token-file", "--stop-after", "--stop-when-idle", "--summary"),
    *("--heldout-topic", "--label-map", "--schema-registry-password-file"),
}
"""Options that no service needs, which run without end at private ports, and files."""


def interpolated(text: object, variables: dict[str, str]) -> str:
    return VARIABLE.sub(lambda match: variables.get(match[1], match[2]), str(text))


def started(
    name: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str] | None = None
) -> BaseSettings:
    """Parse the options of a service as its program does, with these variables in .env."""
    given = variables or {}
    environment = {
        variable: given.get(variable) if value is None else interpolated(value, given)
        for variable, value in SERVICES[name]["environment"].items()
    }
    command = [interpolated(word, given) for word in SERVICES[name]["command"]]
    known = {name: value for name, value in environment.items() if value is not None}
    return parsed(command, known, monkeypatch)


@pytest.mark.parametrize("file", ["docker-compose.yml", "deploy/gpu.yml"])
def test_compose_files_follow_the_compose_specification(file: str) -> None:
    """The file is valid by the JSON Schema of the Compose specification."""
    check = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_gpu_file_changes_existing_services() -> None:
    """The GPU file builds each of our images with the other PyTorch; consumers get the GPU."""
    changed = yaml.safe_load((ROOT / "deploy" / "gpu.yml").read_text())["services"]
    assert all("TORCH_INDEX_URL" in service["build"]["args"] for service in changed.values())
    assert set(changed) == set(OURS)
    assert {name for name in changed if "deploy" in changed[name]} == {"consumer", "standby"}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """An image from a registry has the tag of one release; newsreel's image is built here."""
    service = SERVICES[name]
    if "build" in service:
        assert service["image"] == "newsreel:local"
    else:
        assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+\.\d+", service["image"])


def test_ports_are_open_to_this_host_only() -> None:
    """Kafka, Prometheus and the consumer need no password, so other hosts cannot reach them."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len({interpolated(port, {}) for port in ports}) == 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_runs_as_root_or_gains_privileges(name: str) -> None:
    """A service has no capabilities and, except Kafka, a read-only file system."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service
    assert service.get("read_only", False) is (not service["image"].startswith("apache/kafka"))


@pytest.mark.parametrize("name", SERVICES)
def test_resources_are_limited(name: str) -> None:
    """Memory is limited, logs rotate, and every long-running service has a health check."""
    service = SERVICES[name]
    assert interpolated(service["deploy"]["resources"]["limits"]["memory"], {})[-1] in "mg"
    assert service["logging"]["driver"] == "local"
    assert ("healthcheck" in service) is (name not in ENDING)


@pytest.mark.parametrize("name", OURS)
def test_services_start_with_valid_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an .env file, flags and environment of each service are valid options."""
    started(name, monkeypatch)


@pytest.mark.parametrize("name", OURS)
def test_environment_names_options_of_the_program(name: str) -> None:
    """A variable PRODUCER_X or CONSUMER_X is the option X; a typo would be ignored silently."""
    program, _ = split(SERVICES[name]["command"])
    others = {"KAFKA_BOOTSTRAP_SERVERS", "HF_TOKEN", "OMP_NUM_THREADS"}
    assert set(SERVICES[name]["environment"]) <= set(options(program).values()) | others


@pytest.mark.parametrize("name", ["consumer", "standby", "evaluator"])
def test_every_option_can_be_set(name: str) -> None:
    """Each option of the program reaches its container, or is listed in `UNFIT`."""
    program, flags = split(SERVICES[name]["command"])
    given = {flag.partition("=")[0] for flag in flags}
    set_ = {
        f for f, variable in options(program).items() if variable in SERVICES[name]["environment"]
    }
    assert set(options(program)) - given - set_ <= UNFIT


@pytest.mark.parametrize("name", OURS)
def test_example_settings_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs accept every line of .env.example when it is uncommented."""
    started(name, monkeypatch, EXAMPLE)


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
    assert set(EXAMPLE) == read | passed_on | {"COMPOSE_PROFILES"}


def test_example_shows_the_defaults() -> None:
    """A value of .env.example is the compose file's default, where that file has one."""
    text = (ROOT / "docker-compose.yml").read_text()
    defaults = {name: value for name, value in VARIABLE.findall(text) if name in EXAMPLE}
    changed = {name for name, value in defaults.items() if value != EXAMPLE[name]}
    assert changed == {"GRAFANA_ADMIN_PASSWORD"}


def test_each_topic_and_group_has_its_own_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another topic or group has another folder; the consumer refuses foreign checkpoints."""
    settings = started("consumer", monkeypatch, {"CONSUMER_TOPIC": "t", "CONSUMER_GROUP": "g"})
    assert isinstance(settings, consumer.settings.Settings)
    assert (settings.topic, settings.group) == ("t", "g")
    assert settings.checkpoint_dir == Path("/checkpoints/g/t")


def test_the_standby_equals_the_consumer() -> None:
    """The standby is the same consumer at another port, and is started on demand only."""
    own = {"ports", "depends_on", "profiles"}
    leader, standby = (
        {key: value for key, value in SERVICES[name].items() if key not in own}
        for name in ("consumer", "standby")
    )
    assert leader == standby
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["standby"]


@pytest.mark.parametrize("variables", [{}, {"CONSUMER_TOPIC": "t", "CONSUMER_GROUP": "g"}])
def test_the_evaluator_follows_the_consumer(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The evaluator reads the consumer's checkpoints and its held-out topic."""
    learning = started("consumer", monkeypatch, variables)
    evaluating = started("evaluator", monkeypatch, variables)
    assert isinstance(learning, consumer.settings.Settings)
    assert isinstance(evaluating, consumer.settings.EvaluateSettings)
    assert evaluating.checkpoint == learning.checkpoint_dir
    assert evaluating.topic == f"{learning.topic}.heldout"


def test_the_evaluator_reads_the_heldout_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluator reads the topic that `heldout` publishes to."""
    heldout = started("heldout", monkeypatch)
    evaluating = started("evaluator", monkeypatch)
    assert isinstance(heldout, producer.settings.Settings)
    assert isinstance(evaluating, consumer.settings.EvaluateSettings)
    assert evaluating.topic == heldout.topic


def test_dependencies_can_be_waited_for() -> None:
    """A dependency on health has a health check; a dependency on completion ends."""
    for service in SERVICES.values():
        for name, dependency in service.get("depends_on", {}).items():
            if dependency["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert name in ENDING


def test_a_first_start_needs_no_second_command() -> None:
    """`docker compose up` starts boards and evaluator; only the standby is on demand."""
    assert {"consumer", "evaluator", "prometheus", "alertmanager", "grafana"} <= {
        name for name, service in SERVICES.items() if "profiles" not in service
    }


def mounts() -> Iterator[tuple[str, str]]:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            yield source, target


def test_mounted_files_exist_and_volumes_are_declared() -> None:
    """Every mounted path exists; Docker would create a missing one as an empty folder."""
    sources = {source for source, _ in mounts()}
    files = {source for source in sources if source.startswith(".")}
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert sources - files == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_configurations_are_where_they_are_mounted(name: str) -> None:
    """The file of --config.file is in the folder that is mounted there."""
    (file,) = (flag.partition("=")[2] for flag in SERVICES[name]["command"] if "config" in flag)
    (folder,) = (source for source, target in mounts() if target == str(Path(file).parent))
    assert (ROOT / folder / Path(file).name).is_file()


def test_health_checks_use_the_port_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A health check requests the port that the program serves, on any address."""
    for name, kind in (("producer", "metrics"), ("consumer", "http"), ("evaluator", "http")):
        settings = started(name, monkeypatch)
        port = getattr(settings, f"{kind}_port")
        assert f"http://127.0.0.1:{port}/" in SERVICES[name]["healthcheck"]["test"][-1]
        assert getattr(settings, f"{kind}_host") == "0.0.0.0"


def test_prometheus_scrapes_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target of newsreel is a service, at its metrics port."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = {
        target
        for job in config["scrape_configs"]
        for static in job.get("static_configs", [])
        for target in static["targets"]
    } | {
        f"{name}:{found['port']}"
        for job in config["scrape_configs"]
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    }
    ports = {
        "producer": started("producer", monkeypatch).metrics_port,
        "consumer": started("consumer", monkeypatch).http_port,
        "standby": started("standby", monkeypatch).http_port,
        "evaluator": started("evaluator", monkeypatch).http_port,
    }
    assert {target for target in targets if target.partition(":")[0] in OURS} == {
        f"{name}:{port}" for name, port in ports.items()
    }


def test_grafana_finds_data_source_and_boards() -> None:
    """The data source is the Prometheus service; boards are read from the mounted folder."""
    grafana = ROOT / "deploy" / "grafana"
    (source,) = yaml.safe_load((grafana / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((grafana / "provisioning/dashboards/newsreel.yml").read_text())[
        "providers"
    ]
    assert ("./deploy/grafana/dashboards", provider["options"]["path"]) in mounts()
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (grafana / "dashboards" / home.name).is_file()
