"""A loop with a learner that records its calls, and a source of listed documents."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import safetensors.torch
import torch

from consumer import composition
from consumer.checkpoints.state import pack_state, unpack_state
from consumer.features.extractor import Extractor, Features
from consumer.kafka.batch import Batch, DeadLetter, Origin
from consumer.labels import LabelSet
from consumer.learners.classifier import TextClassifier
from consumer.learners.protocol import Learner, Predictions, StagedUpdate, TrainingBatch
from consumer.loop.labelling import Labelling
from consumer.loop.prequential import Loop
from consumer.loop.step import Step
from consumer.settings import Settings
from newsreel.events.document import Document


class IdExtractor:
    """Extracts one feature, ``id``: the bytes of the document's id."""

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        return [
            {"id": torch.tensor(list(document.id.encode()), dtype=torch.uint8)}
            for document in documents
        ]

    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        return list(read)


def ids(features: Iterable[Features]) -> list[str]:
    """Return the ids of the documents from features of `IdExtractor`."""
    return [bytes(row["id"].tolist()).decode() for row in features]


class RecordingLearner:
    """Predicts the share of each label among the learned documents, and records each call."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.calls: list[tuple[str, list[str]]] = []
        self.given_predictions: list[Predictions] = []

    @property
    def learned(self) -> list[list[str]]:
        """Return the ids of the documents of each learning step, the replayed ones last."""
        return [ids for call, ids in self.calls if call == "learn"]

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        self.calls.append(("predict", ids(features)))
        row = [self.counts[number] for number in range(max(self.counts, default=-1) + 1)]
        rows = np.array([row] * len(features), dtype=np.float32)
        return Predictions(rows / max(1, self.counts.total()))

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        def apply() -> None:
            self.calls.append(("learn", ids([*new.features, *replayed.features])))
            self.given_predictions.append(predictions)
            self.counts.update([*new.targets, *replayed.targets])

        return StagedUpdate(1.0 / (len(new) + len(replayed)), apply)

    def forget(self, targets: Sequence[int]) -> None:
        self.calls.append(("forget", [str(target) for target in targets]))
        for target in targets:
            del self.counts[target]

    def replay_features(self, features: Features) -> Features:
        return features

    def state_dict(self) -> dict[str, Any]:
        return {"counts": {str(number): count for number, count in self.counts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts = Counter({int(number): count for number, count in state["counts"].items()})


class ListedSource:
    """A source of documents in batches of the given sizes, then in batches of any size."""

    def __init__(
        self,
        documents: Iterable[Document],
        labels: LabelSet,
        groups: Iterable[int] = (),
        dead_letters: Sequence[DeadLetter] = (),
        *,
        ends: bool = True,
    ) -> None:
        self._documents = list(documents)
        self._labels = labels
        self._groups = iter(groups)
        self._dead_letters = dead_letters
        self._ends = ends
        self._read = 0
        self._ended = False

    def read(self, at_most: int) -> Batch | None:
        if self._ended or at_most < 1 or (not self._documents and not self._ends):
            return None
        count = min(at_most, next(self._groups, at_most))
        documents, self._documents = self._documents[:count], self._documents[count:]
        for document in documents:
            if document.label is not None:
                self._labels.add(document.label)
        origins = [Origin(0, self._read + number) for number in range(len(documents))]
        self._read += len(documents)
        self._ended = not self._documents and self._ends
        dead_letters, self._dead_letters = self._dead_letters, ()
        return Batch(
            documents,
            origins,
            [float(origin.offset) for origin in origins],
            dead_letters,
            {0: self._read},
            {0: len(self._documents)},
            {0: float(self._read)},
            last=self._ended,
        )


def build_loop(
    batch_size: int = 4,
    replay_ratio: float = 1.0,
    capacity: int = 50,
    *,
    learner: Learner | None = None,
    extractor: Extractor | None = None,
    labelling: Labelling | None = None,
) -> Loop:
    """Build a loop with a `RecordingLearner`, or with the given parts."""
    settings = Settings(
        batch_size=batch_size,
        replay="reservoir",
        replay_ratio=replay_ratio,
        replay_capacity=capacity,
        drift_detector="adwin",
        on_drift="forget",
    )
    classifier = TextClassifier(
        extractor or IdExtractor(), learner or RecordingLearner(), LabelSet(1000)
    )
    loop = composition.build_loop(settings, classifier)
    return loop if labelling is None else replace(loop, labelling=labelling)


def read(
    loop: Loop,
    documents: Iterable[Document],
    clock: Callable[[], float] | None = None,
    **grouping: Any,
) -> list[Step]:
    """Run a loop over documents and return its steps; ``grouping`` as `ListedSource` takes it."""
    source = ListedSource(documents, loop.classifier.labels, **grouping)
    return list(loop.run(source) if clock is None else loop.run(source, clock))


def with_batch(step: Step, dead_letters: Sequence[DeadLetter] = (), **batch: Any) -> Step:
    """Return a copy of a step with other fields of its batch: ``positions``, ``lag`` and so on."""
    letters = dead_letters or step.dead_letters
    return replace(step, dead_letters=letters, batch=replace(step.batch, **batch))


def numbered(labels: Iterable[str | None]) -> list[Document]:
    """Return documents with the given labels; their ids count from 0."""
    return [Document(str(number), f"text {number}", label) for number, label in enumerate(labels)]


def resume(loop: Loop, stopped: Loop) -> None:
    """Load the state of a stopped loop, encoded as in the files of a checkpoint."""
    saved = stopped.parts()
    for name, part in loop.parts().items():
        tensors: dict[str, torch.Tensor] = {}
        tree = json.dumps(pack_state(saved[name].state_dict(), name, tensors))
        read_back = safetensors.torch.load(safetensors.torch.save(tensors))
        part.load_state_dict(unpack_state(json.loads(tree), read_back))
