"""deploy/kubernetes/: valid resources, which fit each other and the programs."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from deployment import options, parsed
from helpers import ROOT
from secure import certificate

import consumer.settings

FOLDER = ROOT / "deploy" / "kubernetes"

RESOURCES: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "newsreel.yaml").read_text()))

MONITOR: dict[str, Any] = yaml.safe_load((FOLDER / "monitoring.yaml").read_text())

SETTINGS: dict[str, str] = next(item for item in RESOURCES if item["kind"] == "ConfigMap")["data"]

DEPLOYMENTS = [item for item in RESOURCES if item["kind"] == "Deployment"]

SERVICES = [item for item in RESOURCES if item["kind"] == "Service"]

VERSIONS = ["1.29", kubernetes_validate.latest_version()]

KAFKA = {f"KAFKA_{name}" for name in ("BOOTSTRAP_SERVERS", "SECURITY_PROTOCOL", "SSL_CAFILE")} | {
    f"KAFKA_SASL_{name}" for name in ("MECHANISM", "USERNAME", "PASSWORD_FILE")
}

SECRETS = {"ca.crt", "http-token", "kafka-password"}
"""Files of the Secret, as docs/deployment.md creates it."""

every_deployment = pytest.mark.parametrize(
    "deployment", DEPLOYMENTS, ids=[item["metadata"]["name"] for item in DEPLOYMENTS]
)


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(deployment)["containers"]
    return dict(only)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Return the variables of the ConfigMap, with secrets in a temporary folder."""
    authority, _ = certificate(tmp_path)
    authority.rename(tmp_path / "ca.crt")
    (tmp_path / "kafka-password").write_text("secret")
    (tmp_path / "http-token").write_text("secret")
    return {name: value.replace("/secrets", str(tmp_path)) for name, value in SETTINGS.items()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "resource", RESOURCES, ids=[f"{item['kind']}/{item['metadata']['name']}" for item in RESOURCES]
)
def test_resources_are_valid(resource: dict[str, Any], version: str) -> None:
    """Each resource follows the schema of its kind and has no unknown field."""
    kubernetes_validate.validate(resource, version, strict=True)


def test_settings_are_options() -> None:
    """Each variable is an option; an unknown one would be ignored silently."""
    known = {*options("consumer").values(), *options("consumer evaluate").values()}
    assert set(SETTINGS) <= known | KAFKA


@every_deployment
def test_programs_accept_their_settings(
    deployment: dict[str, Any], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs accept their settings and serve the port of their probes on any address."""
    settings = parsed(container(deployment)["command"], variables, monkeypatch)
    assert isinstance(settings, consumer.settings.Settings | consumer.settings.EvaluateSettings)
    (port,) = container(deployment)["ports"]
    assert (settings.http_host, settings.http_port) == ("0.0.0.0", port["containerPort"])
    probes = [value for key, value in container(deployment).items() if key.endswith("Probe")]
    assert {probe["httpGet"]["port"] for probe in probes} == {port["name"]}


def test_the_evaluator_follows_the_consumer(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The evaluator reads the consumer's checkpoints and its held-out topic."""
    learning, evaluating = (
        parsed(container(item)["command"], variables, monkeypatch) for item in DEPLOYMENTS
    )
    assert isinstance(learning, consumer.settings.Settings)
    assert isinstance(evaluating, consumer.settings.EvaluateSettings)
    assert evaluating.checkpoint == learning.checkpoint_dir
    assert evaluating.topic == f"{learning.topic}.heldout"


@every_deployment
def test_pods_are_confined(deployment: dict[str, Any]) -> None:
    """Pods run as the user of the image, on a read-only file system."""
    user, process = pod(deployment)["securityContext"], container(deployment)["securityContext"]
    assert user["runAsNonRoot"]
    assert user["runAsUser"] == user["fsGroup"] == 10001
    assert process["readOnlyRootFilesystem"]
    assert not process["allowPrivilegeEscalation"]
    assert process["capabilities"] == {"drop": ["ALL"]}
    assert not pod(deployment)["automountServiceAccountToken"]
    assert "memory" in container(deployment)["resources"]["limits"]


@every_deployment
def test_mounts_and_volumes_agree(deployment: dict[str, Any]) -> None:
    """Mounts name volumes, volumes name claim and Secret, settings name mounted files."""
    volumes = {volume["name"]: volume for volume in pod(deployment)["volumes"]}
    mounted = {item["name"]: item["mountPath"] for item in container(deployment)["volumeMounts"]}
    assert set(mounted) == set(volumes)
    claims = {
        item["metadata"]["name"] for item in RESOURCES if item["kind"] == "PersistentVolumeClaim"
    }
    assert {volumes["checkpoints"]["persistentVolumeClaim"]["claimName"]} == claims
    named = {Path(value) for value in SETTINGS.values() if value.startswith("/secrets/")}
    assert {path.name for path in named} == SECRETS
    assert {str(path.parent) for path in named} == {mounted["secrets"]}
    assert SETTINGS["CONSUMER_CHECKPOINT_DIR"].startswith(mounted["checkpoints"] + "/")


def test_a_standby_is_alive_and_not_ready() -> None:
    """A standby is not restarted, gets no requests, and does not block an update."""
    consumer_, _ = DEPLOYMENTS
    assert container(consumer_)["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container(consumer_)["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert consumer_["spec"]["strategy"]["type"] == "Recreate"
    assert pod(consumer_)["terminationGracePeriodSeconds"] >= 90


def test_prometheus_finds_the_services() -> None:
    """The monitor selects the Services, and they select the pods, by labels and ports."""
    pods = [item["spec"]["template"]["metadata"]["labels"] for item in DEPLOYMENTS]
    assert [item["spec"]["selector"] for item in SERVICES] == pods
    assert [item["spec"]["selector"]["matchLabels"] for item in DEPLOYMENTS] == pods
    selected = MONITOR["spec"]["selector"]["matchLabels"].items()
    assert all(selected <= item["metadata"]["labels"].items() for item in SERVICES)
    (endpoint,) = MONITOR["spec"]["endpoints"]
    for service, deployment in zip(SERVICES, DEPLOYMENTS, strict=True):
        (port,) = service["spec"]["ports"]
        (exposed,) = container(deployment)["ports"]
        assert port["name"] == endpoint["port"]
        assert (port["targetPort"], port["port"]) == (exposed["name"], exposed["containerPort"])
    credentials = endpoint["authorization"]["credentials"]
    assert credentials["key"] in SECRETS
    assert {volume["name"] for volume in pod(DEPLOYMENTS[0])["volumes"] if "secret" in volume}
    assert credentials["name"] == "newsreel"


def test_jobs_have_the_names_of_the_boards() -> None:
    """Job names are those of the compose file, taken from the component label."""
    label = MONITOR["spec"]["jobLabel"]
    assert [item["metadata"]["labels"][label] for item in SERVICES] == ["consumer", "evaluator"]
