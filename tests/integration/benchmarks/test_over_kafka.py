"""Benchmarks that run newsreel's programs over a broker, each with few documents."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import documents
from newsgroups import use_consumer_options

from benchmarks.__main__ import main
from benchmarks.results import Cell, ResultsFile
from benchmarks.throughput import committing, partitions, questions, serving, watching
from benchmarks.throughput.questions import Effort

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
    partitions=1,
    partitioned=16,
    brokers=1,
    brokered=64,
)


@pytest.fixture(autouse=True)
def _broker(monkeypatch: pytest.MonkeyPatch, bootstrap_servers: str) -> None:
    """Let benchmarks use the broker of the tests."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Run ``python -m benchmarks`` in this process."""
    monkeypatch.setattr("sys.argv", ["benchmarks", *map(str, arguments)])
    assert main() == 0


def figures(cells: list[Cell]) -> list[float]:
    return [figure for cell in cells for side in cell["figures"].values() for figure in side]


def test_publishing_and_streaming(
    monkeypatch: pytest.MonkeyPatch, posts: Path, tmp_path: Path
) -> None:
    """Comparisons run producer and consumer; a question measured later joins the same file."""
    use_consumer_options(monkeypatch, learner="bayes")
    out = tmp_path / "out"
    for question in ("streaming", "publishing"):
        questions.answer([question], out, TINY, 0, posts)
    cells = ResultsFile(out / "throughput.json", "name").read()
    assert [cell["name"] for cell in cells] == ["streaming", "publishing"]
    assert min(figures(cells)) > 0
    report = (out / "throughput.md").read_text()
    assert "## The consumer over Kafka" in report
    assert "## The producer" in report


def test_committing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates, pauses and checkpoint sizes are read from the consumers."""
    use_consumer_options(monkeypatch, learner="bayes")
    rates, pauses, sizes = committing.compare(documents(320), 1)
    assert min(min(side) for side in rates.figures.values()) > 0
    assert 0 < pauses.figures["median"][0] <= pauses.figures["longest"][0]
    assert sizes.figures["checkpoint"][0] > 0


def test_serving(monkeypatch: pytest.MonkeyPatch, tiny_encoder: None) -> None:
    """A client gets predictions while the consumer learns; response times are measured."""
    rates, times = serving.compare(documents(640), 1)
    assert min(min(side) for side in rates.figures.values()) > 0
    assert 0 < times.figures["median"][0] <= times.figures["99 of 100"][0]


def test_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluator and page run beside the consumer, with a spare core and without."""
    use_consumer_options(monkeypatch, learner="bayes")
    spare, crowded = watching.compare(documents(640), documents(8, start=1000), 1)
    assert set(spare.figures) == {"alone", "evaluator", "evaluator and page"}
    assert set(crowded.figures) == {"alone", "evaluator and page"}
    for rates in (spare, crowded):
        assert min(min(side) for side in rates.figures.values()) > 0


def test_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog is learned, and an idle consumer measured, for each number of partitions."""
    monkeypatch.setattr(partitions, "COUNTS", (1, 5))
    monkeypatch.setattr(partitions, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(partitions, "IDLE_SECONDS", 0.2)
    for found in partitions.compare(documents(64), 1):
        assert found.figures.keys() == {"1 partition", "5 partitions"}
        assert min(min(side) for side in found.figures.values()) >= 0


def test_overload(
    monkeypatch: pytest.MonkeyPatch, tiny_encoder: None, posts: Path, tmp_path: Path
) -> None:
    """Under twice the sustainable load no document is lost, and the consumer catches up."""
    out = tmp_path / "out"
    run(
        monkeypatch,
        *("arrivals", "--parts", "overload", "--seconds", "2", "--documents", "32"),
        *("--heldout", "4", "--newsgroups-path", posts, "--out", out),
    )
    (cell,) = ResultsFile(out / "arrivals.json", "part").read()
    assert cell["rate"] == pytest.approx(2 * cell["sustainable"])
    assert cell["sent"] >= cell["rate"] * 2
    assert cell["caught_up"] >= 0
    assert len(cell["samples"]["seconds"]) == len(cell["samples"]["accuracy"]) > 0
    assert "Overload" in (out / "report.md").read_text()


def test_replay(monkeypatch: pytest.MonkeyPatch, posts: Path, tmp_path: Path) -> None:
    """Both splits are learned in chronological order and shuffled, and drawn."""
    use_consumer_options(monkeypatch, learner="bayes")
    dates = tmp_path / "dates.tsv"
    rows = [
        "\t".join([*post.relative_to(posts).parts, f"1993-04-{day:02d}T00:00:00Z"])
        for day, post in enumerate(sorted(posts.glob("*/*/*"))[:20], 1)
    ]
    dates.write_text("\n".join(["split\tgroup\tid\tdate_utc", *rows]) + "\n")
    out = tmp_path / "out"
    run(monkeypatch, "replay", "--newsgroups-path", posts, "--dates", dates, "--out", out)
    cells: list[dict[str, Any]] = json.loads((out / "replay.json").read_text())
    assert [cell["order"] for cell in cells] == ["chronological", "shuffled"]
    for cell in cells:
        assert cell["dates"]
        assert cell["documents"] == 50
        assert cell["curve"][-1][0] == 50
    assert "svg" in (out / "replay.svg").read_text()
