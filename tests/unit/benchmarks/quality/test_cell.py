"""A cell: one row on one stream, with every library that is installed."""

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

from benchmarks import corpus
from benchmarks.model import Size, prediction
from benchmarks.quality import cell, rows
from benchmarks.quality.rows import QualityRow
from benchmarks.quality.streams import STREAMS
from consumer.evaluation.evaluator import Prediction
from newsreel.events.document import Document


class LastLabel:
    """Predicts the label learned last."""

    def __init__(self, batch_size: int = 1) -> None:
        self.batch_size = batch_size
        self.label: str | None = None
        self.events: list[str] = []

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        self.events += [f"predict {document.id}" for document in documents]
        known = {} if self.label is None else {self.label: 1.0}
        return [prediction(document, known) for document in documents]

    def learn_many(self, documents: Sequence[Document]) -> None:
        self.events += [f"learn {document.id}" for document in documents]
        self.label = documents[-1].label

    def size(self) -> Size:
        return Size(1, None)

    def describe(self) -> Mapping[str, Any]:
        return {}


def alternating(size: int) -> list[Document]:
    return [Document(str(number), "text", "ab"[number % 2]) for number in range(size)]


def test_test_then_train() -> None:
    """Each batch is predicted once, then learned once."""
    model = LastLabel(batch_size=2)
    cell.learn(model, alternating(3))
    assert model.events == [
        *("predict 0", "predict 1", "learn 0", "learn 1"),
        *("predict 2", "learn 2"),
    ]


def test_figures_of_a_stream() -> None:
    """Scores are over the whole stream and over its end; seconds are those of the model alone."""
    ticks = iter(range(10**6))
    stream = alternating(1000) + [Document(f"b{number}", "text", "b") for number in range(2016)]
    learned = cell.learn(LastLabel(batch_size=16), stream, clock=lambda: float(next(ticks)))
    assert learned.whole.documents == 3016
    assert learned.recent.documents == 2000
    assert learned.recent.accuracy == 1.0
    assert learned.whole.accuracy < 1.0
    assert learned.seconds == math.ceil(3016 / 16)
    assert learned.curve[-1] == (3016, 1.0)
    assert [documents for documents, _ in learned.curve[:2]] == [64, 112]


PEERS = [name for name, row in {**rows.ROWS, **rows.REFERENCES}.items() if "peers" in row.target]


@pytest.mark.parametrize(
    ("name", "stream"),
    [(name, stream) for name in [*PEERS, "newsreel-bayes"] for stream in STREAMS]
    + [("newsreel", "removed")],
)
@pytest.mark.usefixtures("tiny_encoder")
def test_a_row_on_a_stream(name: str, stream: str, posts: Path) -> None:
    """A row learns two labels from 40 documents, or names the missing library."""
    figures = cell.measure(name, STREAMS[stream], corpus.load(posts), 0, None, None)
    if "skipped" in figures:
        pytest.skip(figures["skipped"])
    assert figures["heldout_documents"] == 10
    assert figures["heldout_accuracy"] >= 0.5
    assert set(figures["heldout_recall"]) == {"space", "sport"}
    assert figures["parameters"] > 0
    if name in rows.ROWS:
        assert figures["prequential_log_loss"] > 0
        assert figures["curve"][-1][0] == figures["documents"]
    else:
        assert "curve" not in figures
        assert figures["heldout_log_loss"] is None


def test_memory_without_torch() -> None:
    """The command line imports no torch, whose memory must not count for peers without torch."""
    script = "import sys, benchmarks.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_missing_library(monkeypatch: pytest.MonkeyPatch, posts: Path) -> None:
    """A row whose library is not installed is skipped with the reason."""
    monkeypatch.setattr(rows, "ROWS", {"x": QualityRow("X", "no_such_library:Model")})
    figures = cell.measure("x", STREAMS["raw"], corpus.load(posts), 0, None, None)
    assert figures == {"skipped": "no_such_library is not installed"}


def test_nothing_to_remove(posts: Path) -> None:
    """The stream without headers is skipped for a corpus without headers."""
    for post in posts.rglob("doc-*"):
        post.write_text("letters only")
    figures = cell.measure("linear-svc", STREAMS["removed"], corpus.load(posts), 0, None, None)
    assert figures == {"skipped": "nothing to remove in 20news-bydate"}


def test_escaping() -> None:
    """A text cannot contain a separator of Vowpal Wabbit's format."""
    vowpal_wabbit = pytest.importorskip("benchmarks.peers.vowpal_wabbit")
    assert vowpal_wabbit.example("Rocket | orbit:3\n'moon") == "|w:0.577350 rocket orbit moon"
    assert vowpal_wabbit.example("| : \n") == "|w"
