"""The throughput benchmark: comparisons, their report, and the questions without a broker."""

import pytest
from helpers import documents

from benchmarks import newsreel
from benchmarks.throughput import (
    learning,
    report,
    scaling,
)
from benchmarks.throughput.comparison import Comparison, Spread, interleave
from consumer.features.extractor import Example, extract


def comparison() -> Comparison:
    figures = {"a": [10.0, 20.0, 40.0], "b": [5.0, 5.0, 5.0]}
    return Comparison("ab", "A and B", "About.", "documents/s", "b", figures)


def test_interleaved() -> None:
    """Sides are measured in turns; warm-up rounds do not count."""
    turns: list[str] = []

    def side(name: str, factor: float, number: int) -> float:
        turns.append(f"{name}{number}")
        return factor * number

    sides = {"a": lambda number: side("a", 1, number), "b": lambda number: side("b", 2, number)}
    assert interleave(sides, rounds=2, warm_up=1) == {"a": [1, 2], "b": [2, 4]}
    assert turns == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_ratios_by_round() -> None:
    """A ratio compares the sides within a round; its median and range are over the rounds."""
    assert comparison().ratio("a") == Spread(4.0, 2.0, 8.0)
    assert comparison().ratio("b") == Spread(1.0, 1.0, 1.0)
    assert Comparison.read(comparison().summary()) == comparison()


def test_report() -> None:
    """A side is a line, the base without a ratio; comparisons are grouped by their conditions."""
    conditions = {
        "seed": 0,
        "corpus": {"copy": "small copy", "fingerprint": "f"},
        "load": [0.1, 2.0],
        "machine": {"cpu": "fast", "cores": 2, "memory_gb": 8.0},
        "versions": {"python": "3"},
    }
    cells = [
        {**comparison().summary(), **conditions},
        {**comparison().summary(), "title": "C and D", **conditions},
        {**comparison().summary(), **conditions, "seed": 1},
    ]
    text = report.markdown(cells)
    assert "| a | 20.0 (10.0 - 40.0) | 4.00 (2.00 - 8.00) | 3 |" in text
    assert "| b | 5.00 (5.00 - 5.00) | - | 3 |" in text
    assert "A and B; C and D:\n\n- corpus: small copy, fingerprint f; seed 0" in text
    assert "A and B:\n\n- corpus: small copy, fingerprint f; seed 1" in text


def test_learning(monkeypatch: pytest.MonkeyPatch, tiny_encoder: None) -> None:
    """Learning is compared with the fastest encoder and with the plain loop."""
    monkeypatch.setattr(learning, "BLOCK", 32)
    monkeypatch.setattr(learning, "PLAIN_BLOCK", 1)
    encoding, plain = learning.compare(documents(learning.needed(1)), 1)
    speeds = {side: encoding.spread(side).median for side in encoding.figures}
    assert speeds[encoding.base] == max(speeds[side] for side in speeds if side != learning.DEFAULT)
    assert {"torch fp32, batches of 16", "torch bf16, batches of 32"} < set(speeds)
    assert plain.base == learning.PLAIN
    assert min(*speeds.values(), plain.spread(learning.PLAIN).median) > 0


def test_scaling(tiny_encoder: None) -> None:
    """The base is the smallest side."""
    compared = scaling.compare(documents(16), 1, entries=(16, 32), labels=(20, 40))
    assert [comparison.base for comparison in compared] == ["16 documents", "20 labels"]
    assert all(min(figures) > 0 for one in compared for figures in one.figures.values())


def test_filled() -> None:
    """A filled loop has as many buffer entries and labels as wanted, and learns the last label."""
    loop = newsreel.build_loop(learner="bayes", replay_capacity=50)
    extracted = extract(loop.classifier.extractor, documents(4))
    examples = list(map(Example, documents(4), extracted))
    scaling.fill(loop, ["bayes"], examples, 50, 30)
    assert len(loop.replay_buffer) == 50
    assert len(loop.classifier.labels) == 30
    next(newsreel.steps(loop, documents(16)))
    assert len(loop.evaluator.scores().window.recall) > 20
