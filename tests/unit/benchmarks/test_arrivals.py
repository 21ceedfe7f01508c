"""The benchmark of streams that do not wait: who has learned what when a document arrives."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import main
from benchmarks.arrivals import plot, report
from benchmarks.arrivals.rates import Pace, stream
from benchmarks.model import label_only
from consumer.evaluation.evaluator import Prediction
from consumer.replay.ratio import FixedRatio, LagAwareRatio
from newsreel.events.document import Document

BATCH = 4


class Witness:
    """Remembers how many documents were learned when each was first predicted."""

    batch_size = BATCH

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.learned: list[str] = []

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        for one in documents:
            self.known.setdefault(one.id, len(self.learned))
        return [label_only(one, "a" if self.learned else None) for one in documents]

    def learn_many(self, documents: Sequence[Document], replayed: int) -> None:
        assert replayed >= 0
        self.learned += [one.id for one in documents]


def documents(count: int) -> list[Document]:
    return [Document(str(number), "text", "a") for number in range(count)]


@given(
    count=st.integers(1, 80),
    rate=st.floats(0.1, 50),
    new=st.floats(0.01, 1),
    replayed=st.floats(0, 0.5),
)
def test_what_is_known_at_arrival(count: int, rate: float, new: float, replayed: float) -> None:
    """Each document is predicted once, by what was learned in steps that had ended by then."""
    model = Witness()
    pace = Pace(new, replayed)
    found = stream(model, FixedRatio(0.5), pace, documents(count), rate)
    assert len(found.hits) == count
    assert found.learned == len(model.learned) <= count
    assert model.learned == [str(number) for number in range(found.learned)]
    ended: list[float] = []
    for step in range(found.learned // BATCH):
        there = (step + 1) * BATCH / rate
        ended.append(max([there, *ended[-1:]]) + pace.seconds(BATCH, BATCH // 2))
    for number in range(count):
        arrives = (number + 1) / rate
        # A document that arrives within a rounding of a step's end may be on either side of it.
        before = sum(end < arrives - 0.51 / rate for end in ended) * BATCH
        after = sum(end < arrives + 0.51 / rate for end in ended) * BATCH
        assert before <= model.known[str(number)] <= after


def test_capacity() -> None:
    """Below capacity all but the last step is learned in time; above, the share that fits."""
    pace = Pace(0.1, 0.0)
    for rate, share in ((5, 1.0), (20, 0.5), (100, 0.1)):
        found = stream(Witness(), FixedRatio(0), pace, documents(2000), rate)
        assert found.learned / 2000 == pytest.approx(share, abs=0.005)


def test_less_replay_leaves_time_to_learn_more() -> None:
    """With a target for what waits, replay gives way, and more is learned in time."""
    pace = Pace(0.01, 0.01)
    fixed = stream(Witness(), FixedRatio(4), pace, documents(1000), 50)
    aware = stream(Witness(), LagAwareRatio(4, 8), pace, documents(1000), 50)
    assert fixed.learned == pytest.approx(1000 * 0.4, abs=8)
    assert aware.learned > 900
    assert aware.replayed < fixed.replayed


def test_tables_and_pictures(tmp_path: Path) -> None:
    """What was found is told in tables, and drawn."""
    points = [
        {"rate": rate, "at_arrival": 0.5, "learned": 0.25, "replay_ratio": 0.5, "heldout": 0.75}
        for rate in (50.0, 100.0)
    ]
    rates = {
        "documents": 1000,
        "heldout_documents": 10,
        "capacity": 100.0,
        "rows": {"newsreel": {"title": "newsreel", "capacity": 100.0, "points": points}},
    }
    told = report.rates(rates)
    assert "| arriving | capacity | 0.5 x (50/s) | 1 x (100/s) |" in told
    assert "| newsreel | 100/s | 25.0% | 25.0% |" in told
    plot.draw_rates(rates, tmp_path / "rates.svg")

    sample = {
        "predicted": 0,
        "waiting": 7,
        "behind": 0.5,
        "memory_mb": 900.0,
        "accuracy": 0.5,
    }
    load = {
        "machine": {"cores": 2},
        "threads": 1,
        "first": 500,
        "sustainable": 50.0,
        "rate": 100.0,
        "sent": 1000,
        "seconds": 10.0,
        "waiting": 500,
        "behind": 5.0,
        "caught_up": 10.0,
        "memory_mb": {"early": 900.0, "late": 910.0, "most": 950.0},
        "in_time": {"first": 0.5, "all": 0.5, "heldout": None},
        "under_load": {"first": 0.5, "all": 0.75, "heldout": 0.875},
        "samples": [{"seconds": second, **sample} for second in (1.0, 2.0)],
    }
    told = report.overload(load)
    assert "gets 2 times as much" in told
    assert "| under load | 50.00% | 75.00% | 87.50% |" in told
    plot.draw_overload(load, tmp_path / "overload.svg")
    assert {file.name for file in tmp_path.iterdir()} == {"rates.svg", "overload.svg"}


def test_overload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, posts: Path) -> None:
    """Twice as much comes as can be learned: nothing is lost, and the consumer catches up."""
    argv = ["arrivals", "--parts", "overload", "--seconds", "2", "--documents", "32"]
    argv += ["--heldout", "4", "--newsgroups-path", str(posts), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["benchmarks", *argv])
    assert main() == 0
    found = json.loads((tmp_path / "overload.json").read_text())
    assert found["rate"] == pytest.approx(2 * found["sustainable"])
    assert found["sent"] >= found["rate"] * 2
    assert found["caught_up"] >= 0
    assert found["in_time"]["first"] == pytest.approx(found["under_load"]["first"], abs=0.05)
    assert "Overload" in (tmp_path / "report.md").read_text()
