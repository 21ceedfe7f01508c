"""The second benchmark: each question, asked of a few documents."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import documents

from benchmarks import newsreel
from benchmarks.throughput import (
    committing,
    learning,
    processes,
    questions,
    report,
    scaling,
    serving,
    watching,
)
from benchmarks.throughput.comparison import Comparison, Spread, interleave
from benchmarks.throughput.questions import Effort
from consumer.features.extractor import Example, extract

TINY = Effort(
    streaming=1,
    streamed=16,
    committing=1,
    committed=16,
    serving=1,
    served=16,
    watching=1,
    watched=16,
    learning=1,
    publishing=1,
    published=20,
    scaling=1,
    memories=16,
)


def comparison() -> Comparison:
    figures = {"a": [10.0, 20.0, 40.0], "b": [5.0, 5.0, 5.0]}
    return Comparison("ab", "A and B", "About.", "documents/s", "b", figures)


def test_interleaved() -> None:
    """Sides take turns; rounds to warm up don't count."""
    turns: list[str] = []

    def side(name: str, factor: float, number: int) -> float:
        turns.append(f"{name}{number}")
        return factor * number

    sides = {"a": lambda number: side("a", 1, number), "b": lambda number: side("b", 2, number)}
    assert interleave(sides, rounds=2, warm_up=1) == {"a": [1, 2], "b": [2, 4]}
    assert turns == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_ratios_are_of_rounds() -> None:
    """Each round is compared with itself; the median and the range are told."""
    assert comparison().ratio("a") == Spread(4.0, 2.0, 8.0)
    assert comparison().ratio("b") == Spread(1.0, 1.0, 1.0)
    sides = comparison().summary()["sides"]
    assert sides["a"]["ratio"] == {"median": 4.0, "min": 2.0, "max": 8.0}


def test_table() -> None:
    """A side is a line; the one that others are compared with has no ratio."""
    about = {
        "seed": 0,
        "corpus": {"copy": "small copy", "fingerprint": "f"},
        "load": [0.1, 2.0],
        "machine": {"cpu": "fast", "cores": 2, "memory_gb": 8.0},
        "versions": {"python": "3"},
    }
    told = report.markdown([comparison()], about)
    assert "| a | 20.0 (10.0 - 40.0) | 4.00 (2.00 - 8.00) | 3 |" in told
    assert "| b | 5.00 (5.00 - 5.00) | - | 3 |" in told
    assert "- corpus: small copy, fingerprint f; seed 0" in told


def test_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning is compared with the fastest encoder, and with the plain loop."""
    monkeypatch.setattr(learning, "BLOCK", 32)
    monkeypatch.setattr(learning, "PLAIN_BLOCK", 1)
    encoding, plain = learning.compare(documents(learning.needed(1)), 1)
    speeds = {side: encoding.spread(side).median for side in encoding.figures}
    assert speeds[encoding.base] == max(speeds[it] for it in speeds if it != learning.DEFAULT)
    assert {"torch fp32, batches of 16", "torch bf16, batches of 32"} < set(speeds)
    assert plain.base == learning.PLAIN
    assert min(*speeds.values(), plain.spread(learning.PLAIN).median) > 0


def test_scaling() -> None:
    """The smallest side is the one that others are compared with."""
    compared = scaling.compare(documents(16), 1, remembered=(16, 32), labels=(20, 40))
    assert [it.base for it in compared] == ["16 documents", "20 labels"]
    assert all(min(figures) > 0 for it in compared for figures in it.figures.values())


def test_filled() -> None:
    """A filled loop remembers and knows as much as is asked for, and learns the last label."""
    loop = newsreel.build_loop(learner="bayes", replay_capacity=50)
    extracted = extract(loop.classifier.extractor, documents(4))
    examples = list(map(Example, documents(4), extracted))
    scaling.fill(loop, ["bayes"], examples, 50, 30)
    assert len(loop.replay_buffer) == 50
    assert len(loop.classifier.labels) == 30
    next(newsreel.steps(loop, documents(16)))
    assert len(loop.evaluator.scores().window.recall) > 20


def test_over_kafka(
    bootstrap_servers: str, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs are run over a broker, and results written for programs and for people."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    questions.ask(["publishing", "streaming"], tmp_path / "out", TINY, 0, posts)
    found = json.loads((tmp_path / "out/throughput.json").read_text())
    assert [it["name"] for it in found["comparisons"]] == ["publishing", "streaming"]
    assert "The consumer over Kafka" in (tmp_path / "out/throughput.md").read_text()


def test_committing(bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates, pauses and sizes are read from consumers; here of a learner that starts quickly."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    run = processes.run

    def quickly(module: str, *arguments: object, **how: Any) -> str:
        return run(module, *arguments, "--learner", "bayes", **how)

    monkeypatch.setattr(processes, "run", quickly)
    rates, pauses, sizes = committing.compare(documents(320), 1)
    assert min(min(figures) for figures in rates.figures.values()) > 0
    assert 0 < pauses.figures["median"][0] <= pauses.figures["longest"][0]
    assert sizes.figures["checkpoint"][0] > 0


def test_serving(bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is answered while the consumer learns; both rates are told."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    run = processes.run

    def quickly(module: str, *arguments: object, **how: Any) -> str:
        return run(module, *arguments, "--max-tokens", 16, **how)

    monkeypatch.setattr(processes, "run", quickly)
    rates, waits = serving.compare(documents(640), 1)
    assert min(min(figures) for figures in rates.figures.values()) > 0
    assert 0 < waits.figures["median"][0] <= waits.figures["99 of 100"][0]


def test_watching(bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluator and page watch the consumer; the rates with and without them are told."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    run = processes.run

    def quickly(module: str, *arguments: object, **how: Any) -> str:
        return run(module, *arguments, "--learner", "bayes", **how)

    monkeypatch.setattr(processes, "run", quickly)
    spare, crowded = watching.compare(documents(640), documents(8, start=1000), 1)
    assert set(spare.figures) == {"alone", "evaluator", "evaluator and page"}
    assert set(crowded.figures) == {"alone", "evaluator and page"}
    for rates in (spare, crowded):
        assert min(min(figures) for figures in rates.figures.values()) > 0
