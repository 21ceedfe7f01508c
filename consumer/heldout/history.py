"""Keep forgetting and the curve of held-out scores in a file that outlives the evaluator.

The file is ``.heldout.json`` in the folder of checkpoints; the consumer's live page reads it::

    {"curve": [[documents, accuracy, macro_f1, forgetting_mean], ...],
     "stride": documents between two points of the curve, approximately,
     "best": {label: best recall so far},
     "best_of": {label: number of held-out documents behind that recall},
     "checkpoint": id of the checkpoint evaluated last,
     "of": digest of the model's description, the group, the topic and the held-out topic}
"""

import hashlib
import json
from pathlib import Path

import structlog

from consumer.evaluation.curve import Curve
from consumer.evaluation.forgetting import Forgetting
from consumer.heldout.checkpoint_evaluator import Evaluation
from newsreel.common.json_file import JsonFile

FILE = ".heldout.json"

UNREADABLE = (OSError, ValueError, TypeError, LookupError, AttributeError)
"""Errors of reading a file that is missing or has another content."""

log = structlog.get_logger()


class History:
    """Forgetting, and the curve of held-out scores over the stream.

    Parameters
    ----------
    folder
        Folder of checkpoints. If it is not writable, the history is kept in memory only.
    topic
        Held-out topic.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self._file = folder / FILE
        self._writer = JsonFile(self._file, "history")
        self._topic = topic
        self._digest: str | None = None
        self._checkpoint: str | None = None
        self._start_over()
        self._load()

    def add(self, evaluation: Evaluation) -> None:
        """Add an evaluation.

        The history is discarded first if it is of another model, group or topic, or if the stream
        was started over.
        """
        manifest, scores = evaluation.manifest, evaluation.scores
        identity = [manifest.describes, manifest.group, manifest.topic, self._topic]
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        if digest != self._digest or manifest.id < (self._checkpoint or ""):
            self._start_over()
        self._digest, self._checkpoint = digest, manifest.id
        self.forgetting.update(scores.recall, scores.counts)
        point = (scores.accuracy, scores.macro_f1, self.forgetting.mean)
        self.curve.add(manifest.documents, point)
        self._save()

    def _start_over(self) -> None:
        self.forgetting = Forgetting()
        self.curve = Curve()
        self._digest = self._checkpoint = None

    def _load(self) -> None:
        try:
            state = json.loads(self._file.read_bytes())
            self.forgetting.load_state_dict(state)
            self.curve.load_state_dict(state)
            self._digest, self._checkpoint = str(state["of"]), str(state["checkpoint"])
        except FileNotFoundError:
            pass
        except UNREADABLE as error:
            log.warning("history not readable, starting over", file=self._file, error=repr(error))
            self._start_over()

    def _save(self) -> None:
        state = self.curve.state_dict() | self.forgetting.state_dict()
        state |= {"checkpoint": self._checkpoint, "of": self._digest}
        self._writer.write(state)


def curve(folder: Path) -> list[list[float]]:
    """Return the points of the curve that an evaluator has left in a folder, if any."""
    try:
        stored = Curve()
        stored.load_state_dict(json.loads((folder / FILE).read_bytes()))
    except UNREADABLE:
        return []
    return stored.points
