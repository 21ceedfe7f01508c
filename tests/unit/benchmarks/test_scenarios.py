"""The benchmark of streams that change: its figures, and what it writes."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import main
from benchmarks.model import Size, label_only
from benchmarks.scenarios import columns
from benchmarks.scenarios.columns import SCENARIOS, Scenario
from benchmarks.scenarios.measure import measure, recovery
from benchmarks.scenarios.rows import ROWS, sharing
from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import Prediction
from newsreel.events.change import Change
from newsreel.events.document import Document

SWAP = Change("label-swap", "labels exchanged", {"pairs": [["a", "b"]]})


def documents(labels: str) -> list[Document]:
    return [Document(str(number), f"text {label}", label) for number, label in enumerate(labels)]


class Late:
    """Predicts each text as it was last called, once it has seen that so many times."""

    batch_size = 10

    def __init__(self, patience: int, drifts: Sequence[Drift] = ()) -> None:
        self.drifts = list(drifts)
        self._patience = patience
        self._names: dict[str, str] = {}
        self._others: dict[str, list[str]] = {}

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        return [label_only(one, self._names.get(one.text, "?")) for one in documents]

    def learn_many(self, documents: Sequence[Document]) -> None:
        for one in documents:
            said = self._others.setdefault(one.text, [])
            said.append(str(one.label))
            last = said[-self._patience :]
            if len(last) == self._patience and len(set(last)) == 1:
                self._names[one.text] = last[0]

    def size(self) -> Size:
        return Size(None, None)

    def describe(self) -> Mapping[str, Any]:
        return {}


def swapped(count: int, at: int) -> Scenario:
    stream = documents(("ab" * count)[:at] + ("ba" * count)[: 2 * count - at])
    texts = documents("ab" * count)
    named = [
        Document(one.id, text.text, one.label) for one, text in zip(stream, texts, strict=True)
    ]
    return Scenario("label-swap", "label-swap", named, [(at, SWAP)])


def test_figures() -> None:
    """What a learner that is slow to follow does, in figures that can be checked by hand."""
    drifts = [Drift("error", 3040, 3000), Drift("inputs", 1500, 1500), Drift("error", 5990, 5980)]
    scenario = swapped(3000, 3000)
    heldout = documents("ab" * 20)
    figures = measure(Late(100, drifts), scenario, heldout[:10], heldout)
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
    assert figures["curve"][-1] == (6000, 1.0)


def test_late_labels() -> None:
    """Predictions count as they were made at arrival; what has no label is not learned."""
    scenario = columns.make("delayed-labels", documents("ab" * 2000), 0, None)
    heldout = documents("ab" * 20)
    figures = measure(Late(3), scenario, heldout, heldout)
    assert len(scenario.late) == pytest.approx(3600, abs=60)
    assert figures["documents"] == 4000
    assert figures["heldout_accuracy"] == 1.0
    # Until the first labels are there, nothing is known; what was said then stays wrong.
    assert 0.9 < figures["prequential_accuracy"] < 1.0
    assert figures["curve"][-1][0] == len(scenario.late)


def test_what_is_forgotten() -> None:
    """A label that is called otherwise in the end, and asked for by its old name, is forgotten."""
    heldout = documents("ab" * 20)
    scenario = swapped(1500, 2000)
    kept = Scenario(scenario.name, scenario.text, scenario.documents, [])
    figures = measure(Late(3), kept, heldout, heldout)
    assert figures["heldout_accuracy"] == 0.0
    assert figures["forgetting"] == 1.0
    assert figures["backward_transfer"] == -1.0
    assert figures["anytime_accuracy"] == pytest.approx(2 / 3)
    assert (figures["delay"], figures["recovery"]) == (None, None)


@given(before=st.integers(300, 600), wrong=st.integers(0, 500), after=st.integers(0, 700))
def test_recovery(before: int, wrong: int, after: int) -> None:
    """Recovered is who is right again for most of a window, all of it after the change."""
    hits = [True] * before + [False] * wrong + [True] * after
    found = recovery(hits, [before])
    end = max(300, wrong + 291)  # of the first whole window with no more than 9 mistakes
    if wrong + after >= end:
        assert found == end
    else:
        assert math.isnan(found)


def test_no_recovery() -> None:
    """Where nothing changes, or at the beginning, there is nothing to recover from."""
    assert math.isnan(recovery([True] * 900, []))
    assert math.isnan(recovery([True] * 900, [100]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios(name: str) -> None:
    """Each scenario makes a stream of the corpus, and knows where it changes."""
    labels = "".join("abcdefghijklmnop"[number % 16] for number in range(6400))
    made = columns.make(name, documents(labels), 0, None)
    assert 0 < len(made.documents) <= 6400 * 1.3
    assert all(0 < moment < len(made.documents) for moment in made.moments)
    assert bool(made.moments) == (
        name not in {"shuffled", "chronological", "duplicates", "late", "delayed-labels"}
    )
    assert len(columns.make(name, documents(labels), 0, 500).documents) == 500


def test_held_out_documents_are_called_as_the_stream_does() -> None:
    """Once labels have changed places, what is asked for has, too."""
    scenario = swapped(20, 20)
    heldout = documents("abc")
    assert [one.label for one in scenario.asked(heldout, 20)] == ["a", "b", "c"]
    assert [one.label for one in scenario.asked(heldout, 21)] == ["b", "a", "c"]


def test_rows_share_what_they_read() -> None:
    """The encoder reads each text once, for all rows that have one."""
    share = sharing()
    first: Any = object()
    assert share(first) is share(object())  # type: ignore[arg-type]
    assert [name for name, row in ROWS.items() if row.peer] == ["river-adwin", "river-forest"]


def test_a_run(posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells are measured once, drawn and told; a run that is done is done at once."""
    out = tmp_path / "out"
    command = ["benchmarks", "scenarios", "--rows", "ngram,river-adwin,river-forest"]
    command += [
        "--out",
        str(out),
        "--scenarios",
        "shuffled,label-swap",
        f"--newsgroups-path={posts}",
    ]
    monkeypatch.setattr("sys.argv", command)
    assert main() == 0
    report = (out / "report.md").read_text()
    assert "## `--scenario label-swap:start=5000`" in report
    assert report.count("| newsreel, n-gram softmax |") == 2
    assert "<svg" in (out / "label-swap.svg").read_text()
    cell = json.loads((out / "ngram.shuffled.json").read_text())
    assert cell["documents"] == 40
    before = (out / "ngram.shuffled.json").stat().st_mtime_ns
    assert main() == 0
    assert (out / "ngram.shuffled.json").stat().st_mtime_ns == before
