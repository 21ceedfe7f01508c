"""The benchmark of streams that change: its figures and its results."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import newsreel
from benchmarks.__main__ import main
from benchmarks.model import Size, label_only
from benchmarks.results import ResultsFile
from benchmarks.scenarios import columns
from benchmarks.scenarios.columns import SCENARIOS, BenchmarkScenario
from benchmarks.scenarios.measure import measure, recovery
from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import Prediction
from newsreel.events.change import Change
from newsreel.events.document import Document

SWAP = Change("label-swap", "labels exchanged", {"pairs": [["a", "b"]]})


def documents(labels: str) -> list[Document]:
    return [Document(str(number), f"text {label}", label) for number, label in enumerate(labels)]


class SlowLearner:
    """Predicts for each text the label that its last documents had, if they all had the same.

    Parameters
    ----------
    needed
        Number of documents with the same label that a prediction needs.
    """

    batch_size = 10

    def __init__(self, needed: int, drifts: Sequence[Drift] = ()) -> None:
        self.drifts = list(drifts)
        self._needed = needed
        self._predicted: dict[str, str] = {}
        self._labels: dict[str, list[str]] = {}

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        return [
            label_only(document, self._predicted.get(document.text, "?")) for document in documents
        ]

    def learn_many(self, documents: Sequence[Document]) -> None:
        for document in documents:
            labels = self._labels.setdefault(document.text, [])
            labels.append(str(document.label))
            last = labels[-self._needed :]
            if len(last) == self._needed and len(set(last)) == 1:
                self._predicted[document.text] = last[0]

    def size(self) -> Size:
        return Size(None, None)

    def describe(self) -> Mapping[str, Any]:
        return {}


def swapped(count: int, at: int) -> BenchmarkScenario:
    stream = documents(("ab" * count)[:at] + ("ba" * count)[: 2 * count - at])
    texts = documents("ab" * count)
    named = [
        Document(one.id, text.text, one.label) for one, text in zip(stream, texts, strict=True)
    ]
    return BenchmarkScenario("label-swap", "label-swap", named, [(at, SWAP)])


def test_figures() -> None:
    """The figures of a slow learner are those computed by hand."""
    drifts = [Drift("error", 3040, 3000), Drift("inputs", 1500, 1500), Drift("error", 5990, 5980)]
    scenario = swapped(3000, 3000)
    heldout = documents("ab" * 20)
    figures = measure(SlowLearner(100, drifts), scenario, heldout[:10], heldout)
    assert figures["documents"] == 6000
    assert figures["prequential_accuracy"] == pytest.approx(1 - 400 / 6000, abs=0.01)
    assert figures["heldout_accuracy"] == figures["anytime_accuracy"] == 1.0
    assert figures["forgetting"] == figures["backward_transfer"] == 0.0
    assert figures["delay"] == 40
    assert figures["delay_inputs"] is None
    assert (figures["false_alarms"], figures["false_alarms_inputs"]) == (1, 1)
    # All of the first 200 are wrong; of the window before recovery, 3 in 100 may be.
    assert figures["recovery"] == pytest.approx(491, abs=2)
    assert figures["changes"] == [3000]
    assert figures["curve"][-1] == [6000, 1.0]


def test_late_labels() -> None:
    """Predictions made at arrival are scored; documents are learned when their labels arrive."""
    scenario = columns.make("delayed-labels", documents("ab" * 2000), 0, None)
    heldout = documents("ab" * 20)
    figures = measure(SlowLearner(3), scenario, heldout, heldout)
    assert len(scenario.late) == pytest.approx(3600, abs=60)
    assert figures["documents"] == 4000
    assert figures["heldout_accuracy"] == 1.0
    # The predictions made before the first labels arrive are wrong.
    assert 0.9 < figures["prequential_accuracy"] < 1.0
    assert figures["curve"][-1][0] == len(scenario.late)


def test_forgetting() -> None:
    """After labels are exchanged, held-out documents with the old labels count as forgotten."""
    heldout = documents("ab" * 20)
    scenario = swapped(1500, 2000)
    unchanged = BenchmarkScenario(scenario.name, scenario.text, scenario.documents, [])
    figures = measure(SlowLearner(3), unchanged, heldout, heldout)
    assert figures["heldout_accuracy"] == 0.0
    assert figures["forgetting"] == 1.0
    assert figures["backward_transfer"] == -1.0
    assert figures["anytime_accuracy"] == pytest.approx(2 / 3)
    assert (figures["delay"], figures["recovery"]) == (None, None)


@given(before=st.integers(300, 600), wrong=st.integers(0, 500), after=st.integers(0, 700))
def test_recovery(before: int, wrong: int, after: int) -> None:
    """Accuracy has recovered once 97 % of a window, all of it after the change, are right."""
    hits = [True] * before + [False] * wrong + [True] * after
    documents = recovery(hits, [before])
    allowed = 9  # wrong predictions in a window of 300
    needed = max(300, wrong + 300 - allowed)
    if wrong + after >= needed:
        assert documents == needed
    else:
        assert math.isnan(documents)


def test_no_recovery() -> None:
    """Without a change after the first window there is no recovery."""
    assert math.isnan(recovery([True] * 900, []))
    assert math.isnan(recovery([True] * 900, [100]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios(name: str) -> None:
    """Each scenario makes a stream of the corpus with its changes."""
    labels = "".join("abcdefghijklmnop"[number % 16] for number in range(6400))
    made = columns.make(name, documents(labels), 0, None)
    assert 0 < len(made.documents) <= 6400 * 1.3
    assert all(0 < moment < len(made.documents) for moment in made.moments)
    assert bool(made.moments) == (
        name not in {"shuffled", "chronological", "duplicates", "late", "delayed-labels"}
    )
    assert len(columns.make(name, documents(labels), 0, 500).documents) == 500


def test_held_out_documents_are_renamed() -> None:
    """After labels are exchanged in the stream, held-out documents have the exchanged labels."""
    scenario = swapped(20, 20)
    heldout = documents("abc")
    assert [document.label for document in scenario.renamed(heldout, 20)] == ["a", "b", "c"]
    assert [document.label for document in scenario.renamed(heldout, 21)] == ["b", "a", "c"]


def test_shared_extractor() -> None:
    """All rows get the extractor of the first row, so that each text is encoded once."""
    wrap = newsreel.shared_extractor()
    first: Any = object()
    assert wrap(first) is wrap(object())  # type: ignore[arg-type]


def test_cells_are_measured_once(
    posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_encoder: None
) -> None:
    """The command measures, draws and reports cells; a second run measures none of them again."""
    out = tmp_path / "out"
    command = ["benchmarks", "scenarios", "--rows", "ngram,river-adwin,river-forest"]
    command += ["--out", str(out), "--scenarios", "shuffled,label-swap"]
    monkeypatch.setattr("sys.argv", [*command, f"--newsgroups-path={posts}"])
    assert main() == 0
    report = (out / "report.md").read_text()
    assert "## `--scenario label-swap:start=5000`" in report
    assert report.count("| newsreel, n-gram softmax |") == 2
    assert "<svg" in (out / "label-swap.svg").read_text()
    file = ResultsFile(out / "scenarios.json", "row", "column")
    assert [cell["documents"] for cell in file.read()] == [40] * 6
    before = file.path.stat().st_mtime_ns
    assert main() == 0
    assert file.path.stat().st_mtime_ns == before
