"""Which checkpoints are evaluated, and when, as they are committed, deleted or broken."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from consumer.checkpoints.manifest import FORMAT, MANIFEST, Manifest
from consumer.evaluation.scores import Scores
from consumer.heldout import watch as module
from consumer.heldout.checkpoint_evaluator import Evaluation
from consumer.heldout.history import History
from consumer.heldout.watch import REREAD_SECONDS, Watch
from consumer.monitoring.heldout_metrics import HeldOutMetrics
from consumer.records.formats import RegistryError
from newsreel.common.shutdown import Shutdown
from newsreel.events.document import Document

DOCUMENTS = [Document(str(number), f"text {number}", "a") for number in range(3)]


class Scene:
    """A watch with its folder of checkpoints, its held-out topic and its clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = CollectorRegistry()
        self.stop = Shutdown()
        self.last: Path | None = None
        self.documents = list(DOCUMENTS)
        self.now = 0.0
        self.evaluated: list[tuple[str, int]] = []
        self.during: list[Callable[[], object]] = []
        """Events that happen during the next evaluation."""
        self.history = History(folder, "t.heldout")
        metrics = HeldOutMetrics(self.registry)
        self.watch = Watch(
            lambda: self.last,
            self,
            self,
            self.history,
            metrics,
            self.stop,
            lambda: self.now,
        )

    def commit(self, number: int) -> Path:
        self.last = self.folder / f"{number * 10:012d}-{number:06d}-{'0' * 8}"
        self.last.mkdir()
        about: dict[str, Any] = {"topic": "t", "group": "g", "describes": {}, "positions": {}}
        manifest = Manifest(FORMAT, self.last.name, documents=number * 10, sha256={}, **about)
        (self.last / MANIFEST).write_bytes(manifest.encode())
        return self.last

    def read(self) -> list[Document]:
        """Return the held-out documents, as the topic does."""
        return list(self.documents)

    def evaluate(
        self, folder: Path, documents: Sequence[Document], stopping: Callable[[], bool]
    ) -> Evaluation:
        """Return fixed scores, in place of an evaluator with a model."""
        for event in self.during:
            event()
        self.during = []
        manifest = Manifest.read(folder)
        self.evaluated.append((folder.name, len(documents)))
        counts = {"a": len(documents)}
        scores = Scores(len(documents), 0.5, 0.5, 0.0, 0.0, 0.0, {"a": 0.5}, counts)
        return Evaluation(manifest, 0.0, ["a"], scores, scores)

    def count(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"newsreel_heldout_{name}_total")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_newest_checkpoint_is_evaluated_once(scene: Scene) -> None:
    """Checkpoints committed during an evaluation are skipped, but for the last one."""
    scene.commit(1)
    scene.watch.look()
    scene.commit(2)
    newest = scene.commit(3).name
    for _ in range(3):
        scene.watch.look()
    assert [name for name, _ in scene.evaluated] == [f"{10:012d}-000001-00000000", newest]
    assert [point[0] for point in scene.history.curve.points] == [10, 30]
    assert scene.count("evaluations") == 2
    assert scene.watch.waiting() is None


def test_reason_for_waiting(scene: Scene) -> None:
    """The watch names what is missing: a checkpoint, or held-out documents."""
    scene.documents = []
    assert scene.watch.waiting() == "starting"
    scene.watch.look()
    assert "no checkpoint" in str(scene.watch.waiting())
    scene.commit(1)
    scene.watch.look()
    assert "no held-out document" in str(scene.watch.waiting())
    scene.documents = DOCUMENTS
    scene.watch.look()
    assert scene.watch.waiting() is None
    assert scene.count("failures") == 0


def test_new_held_out_documents(scene: Scene) -> None:
    """The topic is read again now and then; new documents bring a new evaluation."""
    scene.commit(1)
    scene.watch.look()
    scene.documents.append(Document("new", "text", "a"))
    scene.watch.look()
    assert len(scene.evaluated) == 1
    for _ in range(3):
        scene.now += REREAD_SECONDS
        scene.watch.look()
    assert [count for _, count in scene.evaluated] == [3, 4]


def test_broken_checkpoint(scene: Scene) -> None:
    """A broken checkpoint is one failure, not tried again; the next one is evaluated."""
    (scene.commit(1) / MANIFEST).write_text("{")
    for _ in range(2):
        scene.watch.look()
    assert scene.count("failures") == 1
    assert "the next checkpoint" in str(scene.watch.waiting())
    scene.commit(2)
    scene.watch.look()
    assert scene.watch.waiting() is None
    assert len(scene.evaluated) == 1
    assert scene.count("failures") == 1


def test_checkpoint_deleted_during_its_evaluation(scene: Scene) -> None:
    """A checkpoint pruned for a newer one is no failure; the newer one is evaluated instead."""
    old = scene.commit(1)
    scene.during = [lambda: shutil.rmtree(old), lambda: scene.commit(2)]
    for _ in range(2):
        scene.watch.look()
    assert [name for name, _ in scene.evaluated] == [scene.last.name if scene.last else None]
    assert scene.count("failures") == 0


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Poll without pauses."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


@pytest.mark.usefixtures("_quick")
def test_broker_away(scene: Scene) -> None:
    """The broker is asked again until it answers; meanwhile the watch says why it waits."""
    last = scene.commit(1)
    answers: Iterator[Any] = iter([KafkaConnectionError("gone"), OSError("gone"), last, last])
    reasons = []

    def newest() -> Path | None:
        reasons.append(scene.watch.waiting())
        answer = next(answers)
        scene.stop.requested = len(reasons) == 4
        if isinstance(answer, Exception):
            raise answer
        return last

    metrics = HeldOutMetrics(CollectorRegistry())
    scene.watch = Watch(newest, scene, scene, scene.history, metrics, scene.stop)
    scene.watch.run()
    assert len(scene.evaluated) == 1
    assert reasons[0] == "starting"
    assert reasons[1:3] == ["a broker can't be reached", "gone"]
    assert reasons[3] is None


@pytest.mark.usefixtures("_quick")
def test_stop_during_an_evaluation(scene: Scene) -> None:
    """An evaluation that is cut short leaves no result."""
    scene.commit(1)
    scene.during = [lambda: setattr(scene.stop, "requested", True)]
    scene.watch.run()
    assert scene.history.curve.points == []
    assert scene.count("evaluations") == 0


@pytest.mark.usefixtures("_quick")
def test_stop_while_the_broker_is_away(scene: Scene) -> None:
    """A signal ends the watch while it looks at a cluster that does not answer."""

    def newest() -> Path:
        raise KafkaConnectionError

    def diagnose() -> str | None:
        scene.stop.requested = True
        time.sleep(10)
        return None

    arguments = (scene.history, HeldOutMetrics(CollectorRegistry()), scene.stop)
    Watch(newest, scene, scene, *arguments, diagnose=diagnose).run()


def test_registry_away(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the schema registry does not answer, the watch waits and says so, and goes on."""
    scene.commit(1)
    reasons: list[str | None] = []

    def read() -> list[Document]:
        if not reasons:
            reasons.append(scene.watch.waiting())
            raise RegistryError("the schema registry does not answer")
        reasons.append(scene.watch.waiting())
        return list(DOCUMENTS)

    monkeypatch.setattr(scene, "read", read)
    scene.during = [lambda: setattr(scene.stop, "requested", True)]
    scene.watch.run()
    assert reasons == ["starting", "the schema registry does not answer"]
    assert len(scene.evaluated) == 1
    assert scene.count("failures") == 1
