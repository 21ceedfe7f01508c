"""newsreel's own learners, through the functions that its loop is made of."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import safetensors.torch
import torch

from benchmarks.memory import MemorySource
from benchmarks.model import Size
from consumer import composition
from consumer.checkpoints.state import pack_state
from consumer.drift.adaptation import Drift, DriftAdaptation
from consumer.evaluation.evaluator import Evaluator, Prediction
from consumer.features.extractor import Extractor
from consumer.labels import LabelSet
from consumer.learners.factory import BuiltModel
from consumer.learners.prediction import PredictedBatch, predict, with_names
from consumer.loop.labelling import ImmediateLabels
from consumer.loop.micro_batch import MicroBatch
from consumer.loop.prequential import learn, observed, run
from consumer.loop.quarantine import Quarantine
from consumer.loop.step import Step
from consumer.replay.buffer import ReplayBuffer
from consumer.replay.ratio import ReplayRatio
from consumer.settings import Settings
from newsreel.events.document import Document

LEARNING = (
    *("learn_tokens", "batch_size", "replay", "replay_capacity", "replay_ratio"),
    *("learning_rate", "head_learning_rate", "logit_adjustment", "drift_detector", "on_drift"),
)
"""Settings that say how something is learned."""


class Newsreel:
    """The consumer without Kafka.

    Parameters
    ----------
    settings
        As the command line would make them.
    extracting
        Takes the extractor, and returns what is used instead.
    """

    def __init__(
        self, settings: Settings, extracting: Callable[[Extractor], Extractor] = lambda it: it
    ) -> None:
        self._settings = settings
        assembled = composition.assembled(settings)
        self._assembled = replace(assembled, extractor=extracting(assembled.extractor))
        self._adaptation = composition.adaptation(settings)
        self.drifts: list[Drift] = []
        """All that were noticed."""
        self._replay = composition.replay_buffer(settings)
        self.replay_ratio = composition.replay_ratio(settings)
        self._labels = LabelSet(settings.max_labels)
        self._arrived: PredictedBatch | None = None

    @property
    def batch_size(self) -> int:
        """Documents of a micro-batch."""
        return self._settings.batch_size

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents with what is known now."""
        assembled = self._assembled
        self._arrived = predict(assembled.extractor, assembled.learner, documents)
        return with_names(self._arrived, self._labels)

    def learn_many(self, documents: Sequence[Document], replayed: int | None = None) -> None:
        """Learn documents that were just predicted.

        Parameters
        ----------
        replayed
            How many to replay; if not given, as many as while nothing waits.
        """
        assert self._arrived is not None  # noqa: S101 - the protocol says so
        for document in documents:
            if document.label is not None:
                self._labels.add(document.label)
        learner, replay, labels = self._assembled.learner, self._replay, self._labels
        predicted = observed(self._arrived, with_names(self._arrived, labels))
        self.drifts += self._adaptation.observe(predicted, learner, replay, labels)
        if replayed is None:
            replayed = self.replay_ratio.due(len(documents), lag=0)
        learn(self._arrived, learner, replay, labels, replayed)

    def size(self) -> Size:
        """Count what is learned of the stream, and the bytes of what a checkpoint keeps."""
        tensors: dict[str, torch.Tensor] = {}
        pack_state(self._assembled.learner.state_dict(), "learner", tensors)
        trained = {
            name: tensor
            for name, tensor in tensors.items()
            if "/parameters/" in name
            or name.endswith(("/weights", "/weights/numbers", "/sums/numbers"))
        }
        pack_state(self._replay.state_dict(), "replay", tensors)
        return Size(
            parameters=sum(tensor.numel() for tensor in trained.values()),
            checkpoint_bytes=len(safetensors.torch.save(tensors)),
        )

    def describe(self) -> Mapping[str, Any]:
        """Return what a checkpoint of it fits, and how it learns."""
        chosen = self._settings.model_dump(include=set(LEARNING))
        return {**self._assembled.describes, **chosen}


@dataclass(frozen=True, slots=True)
class Loop:
    """The parts of the consumer's loop, its source aside."""

    assembled: BuiltModel
    replay: ReplayBuffer
    replay_ratio: ReplayRatio
    evaluator: Evaluator
    labels: LabelSet
    batch_size: int
    adaptation: DriftAdaptation

    def run(self, documents: Iterable[Document]) -> Iterator[Step]:
        """Learn documents from memory: a step for each micro-batch."""
        return run(
            MemorySource(documents, self.labels),
            self.assembled.extractor,
            self.assembled.learner,
            self.replay,
            self.replay_ratio,
            self.evaluator,
            self.labels,
            MicroBatch(self.batch_size),
            Quarantine("benchmark"),
            self.adaptation,
            ImmediateLabels(),
        )


def loop(assembled: BuiltModel | None = None, **options: Any) -> Loop:
    """Build a loop from options of the command line, around what is assembled already, if any."""
    settings = Settings.model_validate(options)
    return Loop(
        assembled or composition.assembled(settings),
        composition.replay_buffer(settings),
        composition.replay_ratio(settings),
        Evaluator(),
        LabelSet(settings.max_labels),
        settings.batch_size,
        composition.adaptation(settings),
    )


PLAIN: Mapping[str, Any] = {
    "learner": "finetune",
    "layers": "all",
    "optimizer": "sgd",
    "averaging": 0,
    "logit_adjustment": 0,
    "batch_size": 1,
    "replay_ratio": 0,
    "precision": "fp32",
}
"""Fine-tuning as a tutorial would write it."""


def build(
    extracting: Callable[[Extractor], Extractor] = lambda it: it, **options: Any
) -> Callable[[Sequence[str], int], Newsreel]:
    """Make what builds a learner from options of the command line, such as ``learner="latent"``."""
    settings = Settings.model_validate(options)

    def call(_labels: Sequence[str], seed: int) -> Newsreel:
        return Newsreel(settings.model_copy(update={"seed": seed}), extracting)

    return call


default = build()

latent = build(learner="latent")

analytic = build(learner="analytic")

bayes = build(learner="bayes")

ngram = build(learner="ngram")

finetune = build(learner="finetune")

adapters = build(learner="finetune", layers="all", adapters=8)

thorough = build(latent_tokens=128, learn_tokens=128, replay_ratio=1, batch_size=16)

with_ngram = build(experts="latent,analytic,bayes,ngram")

without_gradients = build(experts="analytic,bayes")

without_balance = build(replay="reservoir")

without_replay = build(replay_ratio=0)

without_adjustment = build(logit_adjustment=0)

without_average = build(averaging=0)

plain = build(**PLAIN)
