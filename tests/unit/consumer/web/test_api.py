"""The HTTP application answers as its OpenAPI document says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from helpers import Build, documents
from hypothesis import HealthCheck, given, settings
from prometheus_client import CollectorRegistry
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from consumer.checkpoints.store import CheckpointStore
from consumer.features.extractor import extract
from consumer.heldout.history import FILE
from consumer.labels import LabelSet
from consumer.learners.protocol import TrainingBatch
from consumer.learners.shared import SharedModel
from consumer.monitoring.learning_metrics import Metrics
from consumer.monitoring.progress import Progress
from consumer.web import api, middleware, server
from consumer.web.serving import Serving
from consumer.web.status import Health, Status


class Served:
    """An application with a small trained model."""

    def __init__(self, folder: Path, build: Build, *, ready: bool = True) -> None:
        built = build("blend")
        labels = LabelSet(limit=10)
        self.model = SharedModel(built.extractor, built.learner, labels, separate_weights=True)
        progress, registry = Progress(), CollectorRegistry()
        self.metrics = Metrics(registry)
        self.registry = registry
        serving = Serving(progress)
        store = CheckpointStore(folder, keep=1)
        status = Status(progress, Health(), store, {"learner": "blend", "encoder": "tiny"})
        if ready:
            serving.begin(self.model)
        self.app = api.app(
            server.monitoring(registry, lambda: None, lambda: None),
            status.snapshot,
            serving.predict,
            lambda: status.model(serving.labels),
            self.metrics.served,
            "0",
        )
        self.client = TestClient(self.app)
        for number in range(4):
            new = documents(8, start=8 * number)
            features = extract(self.model.extractor, new)
            targets = [labels.add(document.label or "") for document in new]
            predictions = self.model.learner.predict_many(features)
            batch = TrainingBatch(features, targets)
            self.model.learner.propose(batch, TrainingBatch([], []), predictions).apply()


@pytest.fixture(scope="module")
def served(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    application = Served(tmp_path_factory.mktemp("checkpoints"), build)
    with application.client:
        yield application


def test_one_text_or_several(served: Served) -> None:
    """Predictions come in the order of the texts, with the version of the model."""
    texts = [document.text for document in documents(3, start=700)]
    together = served.client.post("/predict", json={"text": texts}).json()
    alone = [served.client.post("/predict", json={"text": text}).json() for text in texts]
    for prediction, answer in zip(together["predictions"], alone, strict=True):
        assert prediction["probabilities"] == pytest.approx(
            answer["predictions"][0]["probabilities"], abs=1e-3
        )
    predictions = together["predictions"]
    assert [prediction["label"] for prediction in predictions] == ["sport", "space", "sport"]
    for prediction in predictions:
        assert next(iter(prediction["probabilities"])) == prediction["label"]
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert together["model"] == {"checkpoint": None, "step": 4}
    assert served.registry.get_sample_value("newsreel_serving_seconds_count") >= 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"text": ""}',
        b'{"text": NaN}',
        b'{"text": "\\ud800"}',
        b'{"\\ud800": 1, "text": "x"}',
        b'{"text": []}',
        b'{"text": 7}',
        b'{"text": ["a", ""]}',
        b'{"text": "a", "more": 1}',
        b'{"text": ' + json.dumps(["a"] * 33).encode() + b"}",
    ],
)
def test_invalid_request(served: Served, body: bytes) -> None:
    """An invalid request is refused with the reason."""
    answer = served.client.post(
        "/predict", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_missing_content_type(served: Served) -> None:
    """The error of a request without a content type names the header."""
    answer = served.client.post("/predict", content=b"text")
    assert answer.status_code == 422
    assert "content-type: application/json" in answer.json()["detail"]


def test_long_text(served: Served) -> None:
    """A long text is cut like a text of the stream."""
    text = "goal player " * 5000
    long, cut = (
        served.client.post("/predict", json={"text": t}).json() for t in (text, text[:20_000])
    )
    assert long == cut


def test_model(served: Served) -> None:
    """GET /model describes the learner, its version and its labels."""
    model = served.client.get("/model").json()
    assert (model["learner"], model["encoder"]) == ("blend", "tiny")
    assert model["labels"] == ["sport", "space"]
    assert model["accuracy"] is None


def test_not_ready(build: Build, tmp_path: Path) -> None:
    """A standby or loading consumer answers 503 with the reason and when to try again."""
    client = Served(tmp_path, build, ready=False).client
    answer = client.post("/predict", json={"text": "goal"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "standing by" in answer.json()["detail"]
    assert client.get("/progress").json()["waiting"] == "loading, or standing by"
    assert client.get("/model").json()["labels"] == []


def test_notices() -> None:
    """What an operator should know does not make the consumer unready."""
    health = Health()
    assert list(health.notices()) == []
    health.begin(lambda: None, [lambda: None], lambda: ["too few replicas in sync"])
    assert (health.not_ready(), health.notices()) == (None, ["too few replicas in sync"])


def test_curve_of_an_evaluator(build: Build, tmp_path: Path) -> None:
    """Progress has the curve of held-out scores; it is empty if the file is not readable."""
    client = Served(tmp_path, build).client
    assert client.get("/progress").json()["heldout"] == []
    (tmp_path / FILE).write_text('{"curve": [[10, 0.5, 0.4, 0.1]], "stride": 1}')
    assert client.get("/progress").json()["heldout"] == [[10, 0.5, 0.4, 0.1]]
    (tmp_path / FILE).write_text("{")
    assert client.get("/progress").json()["heldout"] == []


@pytest.mark.parametrize("path", sorted(api.FILES))
def test_content_security_policy(served: Served, path: str) -> None:
    """Each file of the page forbids scripts from other origins."""
    answer = served.client.get(path)
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in answer.text
    assert "innerHTML" not in answer.text


def test_token(served: Served) -> None:
    """The page itself needs no token; its data does."""
    guarded = TestClient(middleware.BearerAuth(served.app, "secret", api.OPEN_PATHS))
    assert {guarded.get(path).status_code for path in api.OPEN_PATHS} == {200}
    for path in ("/progress", "/model", "/metrics"):
        assert guarded.get(path).status_code == 401
        bearer = {"authorization": "Bearer secret"}
        assert guarded.get(path, headers=bearer).status_code == 200
    assert guarded.post("/predict", json={"text": "goal"}).status_code == 401


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("label", ["POST /predict", "GET /model", "GET /progress"])
def test_openapi(served: Served, label: str, mode: GenerationMode) -> None:
    """Requests that the OpenAPI document allows, or nearly allows, are answered as it says."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", served.app)
    operations = {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}
    assert len(operations) == 3

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operations[label].as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate()

    if mode is GenerationMode.POSITIVE or label == "POST /predict":  # GET requests have no body
        check()
