"""A checkpoint, examined: its model predicts the held-out documents, and learns nothing."""

import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer import checkpoint, heldout
from consumer.assembly import Machine, Recipe, assemble
from consumer.checkpoint import Stateful
from consumer.evaluation import Evaluator
from consumer.features import Cached, Extractor
from consumer.labels import LabelSet
from consumer.learners.gradient import Training
from consumer.learners.protocol import Learner
from consumer.manifest import Manifest
from consumer.tally import Scores
from events.document import Document


@dataclass(frozen=True, slots=True)
class Examination:
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


class Examiner:
    """Puts together what a checkpoint is of, restores it and has it predict.

    Parameters
    ----------
    machine
        What it runs on.
    room
        Bytes of features to keep from one examination to the next: frozen layers read each
        document once.
    """

    def __init__(self, machine: Machine, room: int) -> None:
        self._machine = machine
        self._room = room
        self._describes: dict[str, Any] = {}
        self._parts: tuple[Extractor, Learner]

    def examine(
        self,
        folder: Path,
        documents: Sequence[Document],
        stopping: Callable[[], bool] = lambda: False,
    ) -> Examination:
        """Examine a checkpoint; when told to stop, on some of the documents only.

        Raises
        ------
        BrokenCheckpointError
            It is not what was written, or was deleted meanwhile.
        UserError
            It is of another newsreel, or of an encoder that is not here.
        """
        manifest = Manifest.read(folder)
        written = checkpoint.written(folder)
        if manifest.describes != self._describes:
            self._assemble(manifest)
        extractor, untaught = self._parts
        learner = copy.deepcopy(untaught)  # of a state before this one nothing may be left
        labels, evaluator = LabelSet(limit=sys.maxsize), Evaluator()
        parts: dict[str, Stateful] = {"labels": labels, "learner": learner, "evaluator": evaluator}
        checkpoint.restore(folder, parts)
        scores = heldout.evaluate(extractor, learner, labels, documents, stopping)
        recent = evaluator.scores().window
        return Examination(manifest, written, labels.names, scores, recent)

    def _assemble(self, manifest: Manifest) -> None:
        described = manifest.describes
        recipe = Recipe.read(described)
        still = Training(described["optimizer"], 0.0, 0.0, described["averaging"], 0.0)
        assembled = assemble(recipe, self._machine, still, recipe.max_tokens, seed=0)
        manifest.require_fit(assembled.describes)
        self._parts = Cached(assembled.extractor, self._room), assembled.learner
        self._describes = described
