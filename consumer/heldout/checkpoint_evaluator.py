"""Restore the model of a checkpoint and score its predictions of the held-out documents."""

import copy
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.checkpoints.manifest import Manifest
from consumer.checkpoints.state import Stateful
from consumer.checkpoints.store import restore_checkpoint, written_at
from consumer.evaluation.evaluator import Evaluator
from consumer.evaluation.scores import Scores
from consumer.features.config import HardwareConfig
from consumer.features.extractor import CachedFeatures, Extractor
from consumer.labels import LabelSet
from consumer.learners.classifier import TextClassifier
from consumer.learners.config import ModelConfig, TrainingConfig
from consumer.learners.factory import build_model
from consumer.learners.protocol import Learner
from newsreel.events.document import Document

BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Held-out scores of a checkpoint's model."""

    manifest: Manifest
    """Manifest of the checkpoint."""

    written: float
    """When the checkpoint was written, in seconds since 1970."""

    labels: Sequence[str]
    """Labels that the model knows, in order of appearance in the stream."""

    scores: Scores
    """Scores of the held-out documents."""

    recent: Scores
    """Prequential scores of the last 1000 documents before the checkpoint."""

    @property
    def gap(self) -> float:
        """Prequential accuracy minus held-out accuracy."""
        return self.recent.accuracy - self.scores.accuracy


class CheckpointEvaluator:
    """Builds the model that a checkpoint describes, restores its state and scores its predictions.

    Parameters
    ----------
    hardware
        Device, precision and runtime of the model.
    cache_bytes
        Bytes of features kept from one evaluation to the next: frozen layers encode each document
        once.
    """

    def __init__(self, hardware: HardwareConfig, cache_bytes: int) -> None:
        self._hardware = hardware
        self._cache_bytes = cache_bytes
        self._describes: dict[str, Any] = {}
        self._extractor: Extractor
        self._untrained: Learner

    def evaluate(
        self,
        folder: Path,
        documents: Sequence[Document],
        stopping: Callable[[], bool] = lambda: False,
    ) -> Evaluation:
        """Evaluate a checkpoint; stop early, with the scores up to then, once ``stopping``.

        Raises
        ------
        BrokenCheckpointError
            The files are not what was written, or were deleted meanwhile.
        UserError
            The checkpoint was written by another version, or its encoder is not installed here.
        """
        manifest = Manifest.read(folder)
        written = written_at(folder)
        if manifest.describes != self._describes:
            self._build(manifest)
        learner = copy.deepcopy(self._untrained)  # nothing of an earlier checkpoint may be left
        labels, evaluator = LabelSet(limit=sys.maxsize), Evaluator()
        parts: dict[str, Stateful] = {"labels": labels, "learner": learner, "evaluator": evaluator}
        restore_checkpoint(folder, parts)
        scores = score_heldout(
            TextClassifier(self._extractor, learner, labels), documents, stopping
        )
        recent = evaluator.scores().window
        return Evaluation(manifest, written, labels.names, scores, recent)

    def _build(self, manifest: Manifest) -> None:
        described = manifest.describes
        config = ModelConfig.read(described)
        no_training = TrainingConfig(described["optimizer"], 0.0, 0.0, described["averaging"], 0.0)
        model = build_model(config, self._hardware, no_training, config.max_tokens, seed=0)
        manifest.require_fit(model.describes)
        self._extractor = CachedFeatures(model.extractor, self._cache_bytes)
        self._untrained = model.learner
        self._describes = described


def score_heldout(
    classifier: TextClassifier,
    documents: Iterable[Document],
    stopping: Callable[[], bool] = lambda: False,
) -> Scores:
    """Score a learner on documents without training it; documents without a label do not count.

    Once ``stopping`` returns True, the scores are those of the documents predicted up to then.
    """
    evaluator = Evaluator()
    # Documents of similar length need less padding in a batch.
    by_length = sorted(documents, key=lambda document: len(document.text))
    for start in range(0, len(by_length), BATCH_SIZE):
        if stopping():
            break
        batch = classifier.predict(by_length[start : start + BATCH_SIZE])
        evaluator.update(classifier.with_names(batch))
    return evaluator.scores().whole
