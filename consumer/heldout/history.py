"""What examinations leave behind, in a file that outlives who wrote it.

``.heldout.json``, in the folder of checkpoints; the consumer's page reads it::

    {"curve": [[documents, accuracy, macro_f1, forgetting_mean], ...],
     "stride": documents between points of the curve, about,
     "best": {label: recall, the best so far},
     "best_of": {label: held-out documents that this recall is of},
     "checkpoint": id of the one examined last,
     "of": digest of the recipe, the group, the topic and the held-out topic}
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
"""What comes of reading a file that is missing, or another one."""

log = structlog.get_logger()


class History:
    """Forgetting, and the curve of held-out scores over the stream.

    Parameters
    ----------
    folder
        Of checkpoints. Where it can't be written to, the history is kept in memory only.
    topic
        The held-out topic.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self._file = folder / FILE
        self._written = JsonFile(self._file, "history")
        self._topic = topic
        self._of: str | None = None
        self._checkpoint: str | None = None
        self._start_over()
        self._load()

    def add(self, examination: Evaluation) -> None:
        """Take in an examination.

        What is of another model, or of a stream that began anew, is thrown away before.
        """
        manifest, scores = examination.manifest, examination.scores
        of = [manifest.describes, manifest.group, manifest.topic, self._topic]
        digest = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()
        if digest != self._of or manifest.id < (self._checkpoint or ""):
            self._start_over()
        self._of, self._checkpoint = digest, manifest.id
        self.forgetting.update(scores.recall, scores.counts)
        point = (scores.accuracy, scores.macro_f1, self.forgetting.mean)
        self.curve.add(manifest.documents, point)
        self._save()

    def _start_over(self) -> None:
        self.forgetting = Forgetting()
        self.curve = Curve()
        self._of = self._checkpoint = None

    def _load(self) -> None:
        try:
            state = json.loads(self._file.read_bytes())
            self.forgetting.load_state_dict(state)
            self.curve.load_state_dict(state)
            self._of, self._checkpoint = str(state["of"]), str(state["checkpoint"])
        except FileNotFoundError:
            pass
        except UNREADABLE as error:
            log.warning("history can't be read, starting over", file=self._file, error=repr(error))
            self._start_over()

    def _save(self) -> None:
        state = self.curve.state_dict() | self.forgetting.state_dict()
        state |= {"checkpoint": self._checkpoint, "of": self._of}
        self._written.write(state)


def curve(folder: Path) -> list[list[float]]:
    """Return the curve that an evaluator has left in a folder; no points if there is none."""
    try:
        read = Curve()
        read.load_state_dict(json.loads((folder / FILE).read_bytes()))
    except UNREADABLE:
        return []
    return read.points
