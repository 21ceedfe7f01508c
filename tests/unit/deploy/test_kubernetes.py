"""deploy/kubernetes/: resources that a cluster accepts, which fit each other and the programs."""

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

SETTINGS: dict[str, str] = next(it for it in RESOURCES if it["kind"] == "ConfigMap")["data"]

DEPLOYMENTS = [it for it in RESOURCES if it["kind"] == "Deployment"]

SERVICES = [it for it in RESOURCES if it["kind"] == "Service"]

VERSIONS = ["1.29", kubernetes_validate.latest_version()]

KAFKA = {f"KAFKA_{name}" for name in ("BOOTSTRAP_SERVERS", "SECURITY_PROTOCOL", "SSL_CAFILE")} | {
    f"KAFKA_SASL_{name}" for name in ("MECHANISM", "USERNAME", "PASSWORD_FILE")
}

SECRETS = {"ca.crt", "http-token", "kafka-password"}
"""What docs/deployment.md says to put into the Secret."""

every_deployment = pytest.mark.parametrize(
    "deployment", DEPLOYMENTS, ids=[it["metadata"]["name"] for it in DEPLOYMENTS]
)


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(deployment)["containers"]
    return dict(only)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Return what the ConfigMap says, with secrets in a folder of this machine."""
    authority, _ = certificate(tmp_path)
    authority.rename(tmp_path / "ca.crt")
    (tmp_path / "kafka-password").write_text("secret")
    (tmp_path / "http-token").write_text("secret")
    return {name: value.replace("/secrets", str(tmp_path)) for name, value in SETTINGS.items()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "resource", RESOURCES, ids=[f"{it['kind']}/{it['metadata']['name']}" for it in RESOURCES]
)
def test_a_cluster_accepts_it(resource: dict[str, Any], version: str) -> None:
    """Each resource follows the schema of its kind, and has no field that the kind has not."""
    kubernetes_validate.validate(resource, version, strict=True)


def test_settings_are_options() -> None:
    """A variable that no program reads would be ignored in silence."""
    known = {*options("consumer").values(), *options("consumer evaluate").values()}
    assert set(SETTINGS) <= known | KAFKA


@every_deployment
def test_programs_accept_their_settings(
    deployment: dict[str, Any], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They serve probes where these are asked, on any address."""
    settings = parsed(container(deployment)["command"], variables, monkeypatch)
    assert isinstance(settings, consumer.settings.Settings | consumer.settings.EvaluateSettings)
    (port,) = container(deployment)["ports"]
    assert (settings.http_host, settings.http_port) == ("0.0.0.0", port["containerPort"])
    probes = [value for key, value in container(deployment).items() if key.endswith("Probe")]
    assert {probe["httpGet"]["port"] for probe in probes} == {port["name"]}


def test_the_evaluator_follows_the_consumer(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the checkpoints that the consumer writes, and the held-out topic beside its own."""
    learning, examining = (
        parsed(container(it)["command"], variables, monkeypatch) for it in DEPLOYMENTS
    )
    assert isinstance(learning, consumer.settings.Settings)
    assert isinstance(examining, consumer.settings.EvaluateSettings)
    assert examining.checkpoint == learning.checkpoint_dir
    assert examining.topic == f"{learning.topic}.heldout"


@every_deployment
def test_pods_are_confined(deployment: dict[str, Any]) -> None:
    """They run as the user of the image, on a file system that they can't change."""
    user, process = pod(deployment)["securityContext"], container(deployment)["securityContext"]
    assert user["runAsNonRoot"]
    assert user["runAsUser"] == user["fsGroup"] == 10001
    assert process["readOnlyRootFilesystem"]
    assert not process["allowPrivilegeEscalation"]
    assert process["capabilities"] == {"drop": ["ALL"]}
    assert not pod(deployment)["automountServiceAccountToken"]
    assert "memory" in container(deployment)["resources"]["limits"]


@every_deployment
def test_what_is_mounted_is_there(deployment: dict[str, Any]) -> None:
    """Mounts name volumes, volumes name the claim and the Secret, settings the files therein."""
    volumes = {volume["name"]: volume for volume in pod(deployment)["volumes"]}
    mounted = {it["name"]: it["mountPath"] for it in container(deployment)["volumeMounts"]}
    assert set(mounted) == set(volumes)
    claims = {it["metadata"]["name"] for it in RESOURCES if it["kind"] == "PersistentVolumeClaim"}
    assert {volumes["checkpoints"]["persistentVolumeClaim"]["claimName"]} == claims
    named = {Path(value) for value in SETTINGS.values() if value.startswith("/secrets/")}
    assert {path.name for path in named} == SECRETS
    assert {str(path.parent) for path in named} == {mounted["secrets"]}
    assert SETTINGS["CONSUMER_CHECKPOINT_DIR"].startswith(mounted["checkpoints"] + "/")


def test_a_standby_is_alive_and_not_ready() -> None:
    """It is neither restarted nor asked for predictions, and an update does not wait for it."""
    consumer_, _ = DEPLOYMENTS
    assert container(consumer_)["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container(consumer_)["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert consumer_["spec"]["strategy"]["type"] == "Recreate"
    assert pod(consumer_)["terminationGracePeriodSeconds"] >= 90


def test_prometheus_finds_the_services() -> None:
    """The monitor selects the Services, these the pods, by labels and ports that they have."""
    pods = [it["spec"]["template"]["metadata"]["labels"] for it in DEPLOYMENTS]
    assert [it["spec"]["selector"] for it in SERVICES] == pods
    assert [it["spec"]["selector"]["matchLabels"] for it in DEPLOYMENTS] == pods
    selected = MONITOR["spec"]["selector"]["matchLabels"].items()
    assert all(selected <= it["metadata"]["labels"].items() for it in SERVICES)
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


def test_jobs_have_the_names_that_boards_know() -> None:
    """Prometheus takes the job's name from the component: the same as in the compose file."""
    label = MONITOR["spec"]["jobLabel"]
    assert [it["metadata"]["labels"][label] for it in SERVICES] == ["consumer", "evaluator"]
