"""A checkpoint, examined: its model predicts the held-out documents, and learns nothing."""

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
    """What a checkpoint knows of the held-out documents.

    ``written`` is in seconds since 1970, ``labels`` are those that the model knows, in order of
    appearance. ``recent`` are the prequential scores of the last 1000 documents before it.
    """

    manifest: Manifest
    written: float
    labels: Sequence[str]
    scores: Scores
    recent: Scores

    @property
    def gap(self) -> float:
        """Prequential accuracy minus held-out accuracy."""
        return self.recent.accuracy - self.scores.accuracy


class CheckpointEvaluator:
    """Puts together what a checkpoint is of, restores it and has it predict.

    Parameters
    ----------
    machine
        What it runs on.
    room
        Bytes of features to keep from one examination to the next: frozen layers read each
        document once.
    """

    def __init__(self, machine: HardwareConfig, room: int) -> None:
        self._machine = machine
        self._room = room
        self._describes: dict[str, Any] = {}
        self._parts: tuple[Extractor, Learner]

    def examine(
        self,
        folder: Path,
        documents: Sequence[Document],
        stopping: Callable[[], bool] = lambda: False,
    ) -> Evaluation:
        """Examine a checkpoint; when told to stop, on some of the documents only.

        Raises
        ------
        BrokenCheckpointError
            It is not what was written, or was deleted meanwhile.
        UserError
            It is of another newsreel, or of an encoder that is not here.
        """
        manifest = Manifest.read(folder)
        written = written_at(folder)
        if manifest.describes != self._describes:
            self._assemble(manifest)
        extractor, untaught = self._parts
        learner = copy.deepcopy(untaught)  # of a state before this one nothing may be left
        labels, evaluator = LabelSet(limit=sys.maxsize), Evaluator()
        parts: dict[str, Stateful] = {"labels": labels, "learner": learner, "evaluator": evaluator}
        restore_checkpoint(folder, parts)
        scores = score_heldout(TextClassifier(extractor, learner, labels), documents, stopping)
        recent = evaluator.scores().window
        return Evaluation(manifest, written, labels.names, scores, recent)

    def _assemble(self, manifest: Manifest) -> None:
        described = manifest.describes
        recipe = ModelConfig.read(described)
        still = TrainingConfig(described["optimizer"], 0.0, 0.0, described["averaging"], 0.0)
        assembled = build_model(recipe, self._machine, still, recipe.max_tokens, seed=0)
        manifest.require_fit(assembled.describes)
        self._parts = CachedFeatures(assembled.extractor, self._room), assembled.learner
        self._describes = described


def score_heldout(
    classifier: TextClassifier,
    documents: Iterable[Document],
    stopping: Callable[[], bool] = lambda: False,
) -> Scores:
    """Score a learner on documents, leaving it as it is; unlabelled ones don't count.

    When told to stop, it scores what it has examined by then.
    """
    evaluator = Evaluator()
    # Alike in length, they need less padding.
    by_length = sorted(documents, key=lambda document: len(document.text))
    for start in range(0, len(by_length), BATCH_SIZE):
        if stopping():
            break
        batch = classifier.predict(by_length[start : start + BATCH_SIZE])
        evaluator.update(classifier.with_names(batch))
    return evaluator.scores().whole
