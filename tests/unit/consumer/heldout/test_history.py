"""The history of evaluations outlives the evaluator, as long as it is of the same stream."""

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.checkpoints.manifest import FORMAT, Manifest
from consumer.evaluation.scores import NO_SCORES, Scores
from consumer.heldout.checkpoint_evaluator import Evaluation
from consumer.heldout.history import FILE, History


def evaluation(documents: int, number: int, recall: float, **other: Any) -> Evaluation:
    about: dict[str, Any] = {"topic": "t", "group": "g", "describes": {"learner": "bayes"}} | other
    id_ = f"{documents:012d}-{number:06d}-{'0' * 8}"
    manifest = Manifest(FORMAT, id_, positions={}, documents=documents, sha256={}, **about)
    scores = Scores(10, recall, recall, 0.0, 0.0, 0.0, {"a": recall}, {"a": 10})
    return Evaluation(manifest, 0.0, ["a"], scores, NO_SCORES)


def test_file(tmp_path: Path) -> None:
    """The file holds the curve and the best recalls as strict JSON; the live page reads it."""
    history = History(tmp_path, "t.heldout")
    history.add(evaluation(100, 1, 0.75))
    history.add(evaluation(200, 2, 0.5))
    state = json.loads((tmp_path / FILE).read_text(), parse_constant=pytest.fail)
    assert state["curve"] == [[100, 0.75, 0.75, 0.0], [200, 0.5, 0.5, 0.25]]
    assert state["best"] == {"a": 0.75}
    assert state["best_of"] == {"a": 10}
    assert state["checkpoint"] == "000000000200-000002-00000000"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_restart(tmp_path: Path) -> None:
    """A new evaluator continues the history; the same checkpoint may be added twice."""
    History(tmp_path, "t.heldout").add(evaluation(100, 1, 0.75))
    for _ in range(2):
        history = History(tmp_path, "t.heldout")
        history.add(evaluation(200, 2, 0.5))
        assert history.forgetting.by_label == {"a": 0.25}
        assert [point[0] for point in history.curve.points] == [100, 200]


@pytest.mark.parametrize(
    ("topic", "last"),
    [
        ("t.heldout", evaluation(200, 2, 0.5, describes={"learner": "ngram"})),
        ("t.heldout", evaluation(200, 2, 0.5, group="other")),
        ("t.heldout", evaluation(100, 1, 0.5)),
        ("other.heldout", evaluation(200, 2, 0.5)),
    ],
    ids=["another model", "another group", "stream started over", "other documents"],
)
def test_evaluation_of_another_stream(topic: str, last: Evaluation, tmp_path: Path) -> None:
    """The history starts over where a comparison would mean nothing."""
    History(tmp_path, "t.heldout").add(evaluation(150, 1, 0.75))
    history = History(tmp_path, topic)
    history.add(last)
    assert history.forgetting.by_label == {"a": 0.0}
    assert [point[0] for point in history.curve.points] == [last.manifest.documents]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"curve": [[1]], "stride": null}', "\udcff"])
def test_broken_file(content: str, tmp_path: Path) -> None:
    """The history starts over, with a warning."""
    (tmp_path / FILE).write_text(content, errors="surrogateescape")
    with capture_logs() as logs:
        history = History(tmp_path, "t.heldout")
    assert [line["event"] for line in logs] == ["history not readable, starting over"]
    history.add(evaluation(100, 1, 0.75))
    assert history.curve.points == [[100, 0.75, 0.75, 0.0]]


def test_folder_not_writable(tmp_path: Path) -> None:
    """The history continues in memory, with one warning."""
    with capture_logs() as logs:
        history = History(tmp_path / "missing", "t.heldout")
        for number in (1, 2):
            history.add(evaluation(100 * number, number, 0.75 / number))
    assert history.forgetting.by_label == {"a": 0.375}
    assert [line["log_level"] for line in logs] == ["warning"]
