"""docker-compose.yml fits the programs that it starts, and the files that it mounts are there."""

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
"""Services that do their work and end."""

VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")

EXAMPLE = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))

UNFIT = {"--http-token", "--http-token-file", "--stop-after", "--stop-when-idle", "--summary"}
"""Options that a service goes without: it runs without end, at ports that nobody else reaches."""


def interpolated(text: object, variables: dict[str, str]) -> str:
    return VARIABLE.sub(lambda match: variables.get(match[1], match[2]), str(text))


def started(
    name: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str] | None = None
) -> BaseSettings:
    """Parse the options of a service as its program would, with these variables in .env."""
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
    """Docker Compose understands the file, as far as its JSON Schema tells."""
    check = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_gpu_file_changes_services_that_there_are() -> None:
    """With it, each image of ours is built with the other PyTorch, and who learns has the GPU."""
    changed = yaml.safe_load((ROOT / "deploy" / "gpu.yml").read_text())["services"]
    assert all("TORCH_INDEX_URL" in service["build"]["args"] for service in changed.values())
    assert set(changed) == set(OURS)
    assert {name for name in changed if "deploy" in changed[name]} == {"consumer", "standby"}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """An image from a registry has the tag of one release; newsreel's own is built here."""
    service = SERVICES[name]
    if "build" in service:
        assert service["image"] == "newsreel:local"
    else:
        assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+\.\d+", service["image"])


def test_ports_are_open_to_this_host_only() -> None:
    """Kafka, Prometheus and the consumer ask for no password, so nobody else may reach them."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len({interpolated(port, {}) for port in ports}) == 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_runs_as_root_or_gains_privileges(name: str) -> None:
    """A service has no capabilities and, Kafka apart, a file system that it can't change."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service
    assert service.get("read_only", False) is (not service["image"].startswith("apache/kafka"))


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_takes_the_whole_host(name: str) -> None:
    """Memory is limited, logs rotate, and what runs for long says whether it is well."""
    service = SERVICES[name]
    assert interpolated(service["deploy"]["resources"]["limits"]["memory"], {})[-1] in "mg"
    assert service["logging"]["driver"] == "local"
    assert ("healthcheck" in service) is (name not in ENDING)


@pytest.mark.parametrize("name", OURS)
def test_services_start_their_program_with_options_it_has(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an .env file, flags and environment of each service are options with good values."""
    started(name, monkeypatch)


@pytest.mark.parametrize("name", OURS)
def test_environment_names_options_of_the_program(name: str) -> None:
    """A variable PRODUCER_X or CONSUMER_X is the option X; a slip would be ignored in silence."""
    program, _ = split(SERVICES[name]["command"])
    others = {"KAFKA_BOOTSTRAP_SERVERS", "HF_TOKEN", "OMP_NUM_THREADS"}
    assert set(SERVICES[name]["environment"]) <= set(options(program).values()) | others


@pytest.mark.parametrize("name", ["consumer", "standby", "evaluator"])
def test_every_option_can_be_set(name: str) -> None:
    """An option that is added to the program reaches its container, or stands in `UNFIT`."""
    program, flags = split(SERVICES[name]["command"])
    given = {flag.partition("=")[0] for flag in flags}
    set_ = {
        f for f, variable in options(program).items() if variable in SERVICES[name]["environment"]
    }
    assert set(options(program)) - given - set_ <= UNFIT


@pytest.mark.parametrize("name", OURS)
def test_example_settings_are_good_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever line of .env.example is taken out of its comment, the programs accept it."""
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
    """A value of .env.example is the one that holds without it, where the compose file has one."""
    text = (ROOT / "docker-compose.yml").read_text()
    defaults = {name: value for name, value in VARIABLE.findall(text) if name in EXAMPLE}
    changed = {name for name, value in defaults.items() if value != EXAMPLE[name]}
    assert changed == {"GRAFANA_ADMIN_PASSWORD"}


def test_a_topic_of_ones_own_has_checkpoints_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another topic or group starts afresh; the consumer refuses checkpoints of other ones."""
    settings = started("consumer", monkeypatch, {"CONSUMER_TOPIC": "t", "CONSUMER_GROUP": "g"})
    assert isinstance(settings, consumer.settings.Settings)
    assert (settings.topic, settings.group) == ("t", "g")
    assert settings.checkpoint_dir == Path("/checkpoints/g/t")


def test_the_standby_takes_the_place_of_the_consumer() -> None:
    """It is the same consumer at another port of the host, and is started on demand only."""
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
    """It reads the checkpoints that the consumer writes, and the held-out topic beside its own."""
    learning = started("consumer", monkeypatch, variables)
    examining = started("evaluator", monkeypatch, variables)
    assert isinstance(learning, consumer.settings.Settings)
    assert isinstance(examining, consumer.settings.EvaluateSettings)
    assert examining.checkpoint == learning.checkpoint_dir
    assert examining.topic == f"{learning.topic}.heldout"


def test_examination_finds_the_heldout_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluator reads what `heldout` published."""
    heldout = started("heldout", monkeypatch)
    examining = started("evaluator", monkeypatch)
    assert isinstance(heldout, producer.settings.Settings)
    assert isinstance(examining, consumer.settings.EvaluateSettings)
    assert examining.topic == heldout.topic


def test_services_that_are_waited_for_can_be() -> None:
    """Who is waited for until healthy has a health check; who until it has ended, ends."""
    for service in SERVICES.values():
        for name, dependency in service.get("depends_on", {}).items():
            if dependency["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert name in ENDING


def test_a_first_start_needs_no_second_command() -> None:
    """Whatever shows or examines comes with `docker compose up`, the standby alone on demand."""
    assert {"consumer", "evaluator", "prometheus", "alertmanager", "grafana"} <= {
        name for name, service in SERVICES.items() if "profiles" not in service
    }


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
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert sources - files == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_configurations_are_where_they_are_mounted(name: str) -> None:
    """The file that --config.file names is in the folder that is mounted there."""
    (file,) = (flag.partition("=")[2] for flag in SERVICES[name]["command"] if "config" in flag)
    (folder,) = (source for source, target in mounts() if target == str(Path(file).parent))
    assert (ROOT / folder / Path(file).name).is_file()


def test_health_is_asked_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A health check asks the port that the program serves on, on any address."""
    for name, kind in (("producer", "metrics"), ("consumer", "http"), ("evaluator", "http")):
        settings = started(name, monkeypatch)
        port = getattr(settings, f"{kind}_port")
        assert f"http://127.0.0.1:{port}/" in SERVICES[name]["healthcheck"]["test"][-1]
        assert getattr(settings, f"{kind}_host") == "0.0.0.0"


def test_prometheus_scrapes_what_the_services_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target that is newsreel's is a service, at the port that it serves metrics on."""
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
    assert {it for it in targets if it.partition(":")[0] in OURS} == {
        f"{name}:{port}" for name, port in ports.items()
    }


def test_grafana_is_given_its_data_source_and_dashboards() -> None:
    """The data source is the Prometheus beside it; dashboards are read where they are mounted."""
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
