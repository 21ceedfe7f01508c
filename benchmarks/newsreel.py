"""newsreel's learners as rows of a benchmark, driven through the consumer's loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import safetensors.torch
import torch

from benchmarks.model import Size
from consumer import composition
from consumer.checkpoints.state import pack_state
from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import Prediction
from consumer.features.extractor import CachedFeatures, Extractor
from consumer.labels import LabelSet
from consumer.learners.classifier import TextClassifier
from consumer.learners.factory import BuiltModel
from consumer.learners.prediction import PredictedBatch
from consumer.loop.memory_source import MemorySource
from consumer.loop.prequential import Loop, inputs_of_drift
from consumer.loop.step import Step
from consumer.replay.ratio import ReplayRatio
from consumer.settings import Settings
from newsreel.events.document import Document

LEARNING = (
    *("learn_tokens", "batch_size", "replay", "replay_capacity", "replay_ratio"),
    *("learning_rate", "head_learning_rate", "logit_adjustment", "drift_detector", "on_drift"),
)
"""Settings that a row reports beside the description of its model."""

CACHE_BYTES = 3 << 30
"""Room for the features of all texts, which are the same in all streams."""

Wrap = Callable[[Extractor], Extractor]
"""Function that returns the extractor to use in place of a built one."""


class Newsreel:
    """The consumer without Kafka, driven by a benchmark: predict, then learn.

    Parameters
    ----------
    settings
        Settings of the consumer.
    wrap
        Function that returns the extractor to use in place of the built one.
    """

    def __init__(self, settings: Settings, wrap: Wrap = lambda built: built) -> None:
        self._settings = settings
        built = composition.build_model(settings)
        labels = LabelSet(settings.max_labels)
        classifier = TextClassifier(wrap(built.extractor), built.learner, labels)
        self._description = built.describes
        self._loop = composition.build_loop(settings, classifier)
        self._predicted: PredictedBatch | None = None
        self.drifts: list[Drift] = []
        """All drifts detected so far."""

    @property
    def replay_ratio(self) -> ReplayRatio:
        """Replay ratio of the loop."""
        return self._loop.replay_ratio

    @property
    def batch_size(self) -> int:
        """Documents of a micro-batch."""
        return self._settings.batch_size

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents with what has been learned so far."""
        classifier = self._loop.classifier
        self._predicted = classifier.predict(documents)
        return classifier.with_names(self._predicted)

    def learn_many(self, documents: Sequence[Document], replayed: int | None = None) -> None:
        """Learn the documents predicted last.

        Parameters
        ----------
        replayed
            Number of documents to replay; by default, as many as with no lag.
        """
        assert self._predicted is not None  # noqa: S101 - the protocol demands a prediction first
        loop, classifier = self._loop, self._loop.classifier
        for document in documents:
            if document.label is not None:
                classifier.labels.add(document.label)
        seen = inputs_of_drift(self._predicted, classifier.with_names(self._predicted))
        self.drifts += loop.adaptation.observe_batch(
            seen, classifier.learner, loop.replay_buffer, classifier.labels
        )
        if replayed is None:
            replayed = loop.replay_ratio.due(len(documents), lag=0)
        loop.learn(self._predicted, replayed)

    def size(self) -> Size:
        """Return the number of learned parameters, and the bytes that a checkpoint keeps."""
        tensors: dict[str, torch.Tensor] = {}
        pack_state(self._loop.classifier.learner.state_dict(), "learner", tensors)
        trained = {
            name: tensor
            for name, tensor in tensors.items()
            if "/parameters/" in name
            or name.endswith(("/weights", "/weights/numbers", "/sums/numbers"))
        }
        pack_state(self._loop.replay_buffer.state_dict(), "replay", tensors)
        return Size(
            parameters=sum(tensor.numel() for tensor in trained.values()),
            checkpoint_bytes=len(safetensors.torch.save(tensors)),
        )

    def describe(self) -> Mapping[str, Any]:
        """Return what a checkpoint of the model fits, and how the model learns."""
        chosen = self._settings.model_dump(include=set(LEARNING))
        return {**self._description, **chosen}


def build_model(**options: Any) -> BuiltModel:
    """Build the consumer's extractor and learner from command line options."""
    return composition.build_model(Settings.model_validate(options))


def build_loop(built: BuiltModel | None = None, **options: Any) -> Loop:
    """Build the consumer's loop from command-line options, around a given model if any."""
    settings = Settings.model_validate(options)
    built = built or composition.build_model(settings)
    labels = LabelSet(settings.max_labels)
    return composition.build_loop(settings, TextClassifier(built.extractor, built.learner, labels))


def steps(loop: Loop, documents: Iterable[Document]) -> Iterator[Step]:
    """Run a loop over documents in memory."""
    return loop.run(MemorySource(documents, loop.classifier.labels))


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
"""Options of the plain loop: fine-tuning as a tutorial would write it."""


def build(
    wrap: Wrap = lambda built: built, **options: Any
) -> Callable[[Sequence[str], int], Newsreel]:
    """Return a function that builds a row from command-line options, such as ``learner="latent"``.

    Parameters
    ----------
    wrap
        Function that returns the extractor to use in place of the built one.
    """

    def call(_labels: Sequence[str], seed: int) -> Newsreel:
        return Newsreel(Settings.model_validate({**options, "seed": seed}), wrap)

    return call


def shared_extractor() -> Wrap:
    """Return a function that gives every row the first row's extractor and its cached features."""
    shared: list[Extractor] = []

    def wrap(extractor: Extractor) -> Extractor:
        if not shared:
            shared.append(CachedFeatures(extractor, CACHE_BYTES))
        return shared[0]

    return wrap


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
