"""The benchmark of streams that do not wait: what a model has learned when a document arrives."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.arrivals import plot, report
from benchmarks.arrivals.rates import Pace, stream
from benchmarks.model import label_only
from consumer.evaluation.evaluator import Prediction
from consumer.replay.ratio import FixedRatio, LagAwareRatio
from newsreel.events.document import Document

BATCH = 4


class Recorder:
    """Records how many documents were learned when each document was first predicted."""

    batch_size = BATCH

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.learned: list[str] = []

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        for document in documents:
            self.known.setdefault(document.id, len(self.learned))
        return [label_only(document, "a" if self.learned else None) for document in documents]

    def learn_many(self, documents: Sequence[Document], replayed: int) -> None:
        assert replayed >= 0
        self.learned += [document.id for document in documents]


def documents(count: int) -> list[Document]:
    return [Document(str(number), "text", "a") for number in range(count)]


@given(
    count=st.integers(1, 80),
    rate=st.floats(0.1, 50),
    new=st.floats(0.01, 1),
    replayed=st.floats(0, 0.5),
)
def test_what_is_known_at_arrival(count: int, rate: float, new: float, replayed: float) -> None:
    """Each document is predicted once, after the learning steps that ended before its arrival."""
    model = Recorder()
    pace = Pace(new, replayed)
    outcome = stream(model, FixedRatio(0.5), pace, documents(count), rate)
    assert len(outcome.hits) == count
    assert outcome.learned == len(model.learned) <= count
    assert model.learned == [str(number) for number in range(outcome.learned)]
    ended: list[float] = []
    for step in range(outcome.learned // BATCH):
        complete = (step + 1) * BATCH / rate
        ended.append(max([complete, *ended[-1:]]) + pace.seconds(BATCH, BATCH // 2))
    for number in range(count):
        arrives = (number + 1) / rate
        # The arrival of a document may be rounded to either side of the end of a step.
        before = sum(end < arrives - 0.51 / rate for end in ended) * BATCH
        after = sum(end < arrives + 0.51 / rate for end in ended) * BATCH
        assert before <= model.known[str(number)] <= after


def test_capacity() -> None:
    """Below capacity all but the last step is learned in time, above it the share that fits."""
    pace = Pace(0.1, 0.0)
    for rate, share in ((5, 1.0), (20, 0.5), (100, 0.1)):
        outcome = stream(Recorder(), FixedRatio(0), pace, documents(2000), rate)
        assert outcome.learned / 2000 == pytest.approx(share, abs=0.005)


def test_lag_aware_replay() -> None:
    """With a target lag, fewer documents are replayed and more are learned in time."""
    pace = Pace(0.01, 0.01)
    fixed = stream(Recorder(), FixedRatio(4), pace, documents(1000), 50)
    aware = stream(Recorder(), LagAwareRatio(4, 8), pace, documents(1000), 50)
    assert fixed.learned == pytest.approx(1000 * 0.4, abs=8)
    assert aware.learned > 900
    assert aware.replayed < fixed.replayed


def test_tables_and_pictures(tmp_path: Path) -> None:
    """The report has tables of rates and overload, and pictures are drawn."""
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
    text = report.rates(rates)
    assert "| arriving | capacity | 0.5 x (50/s) | 1 x (100/s) |" in text
    assert "| newsreel | 100/s | 25.0% | 25.0% |" in text
    plot.draw_rates(rates, tmp_path / "rates.svg")

    samples = {
        "seconds": [1.0, 2.0],
        "predicted": [0, 32],
        "waiting": [7, 7],
        "behind": [0.5, 0.5],
        "memory_mb": [900.0, 900.0],
        "accuracy": [0.5, 0.5],
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
        "samples": samples,
    }
    text = report.overload(load)
    assert "sends 2 times that rate" in text
    assert "| under load | 50.00% | 75.00% | 87.50% |" in text
    plot.draw_overload(load, tmp_path / "overload.svg")
    assert {file.name for file in tmp_path.iterdir()} == {"rates.svg", "overload.svg"}
