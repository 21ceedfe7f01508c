"""What the first learning step waits for, on the page at once and in the log once."""

from collections.abc import Sequence

import pytest
from loops import build_loop, numbered, read
from structlog.testing import capture_logs

from consumer.loop.late_labels import LateLabels
from consumer.loop.step import Step
from consumer.monitoring.first_step import QUIET_SECONDS, FirstStep

GATHERING = "the first learning step: 3 of its 4 documents are here"


def steps(labels: Sequence[str | None], *, late: bool = False) -> list[Step]:
    """Return the steps of a stream that goes on, read one document at a time."""
    loop = build_loop(batch_size=4, labelling=LateLabels(10) if late else None)
    found = read(loop, numbered(labels), groups=[1] * len(labels), ends=not labels)
    assert {step.batch.last for step in found} <= {not labels}
    return found


def missing(found: Sequence[Step]) -> list[str | None]:
    first = FirstStep()
    seen = []
    for number, step in enumerate(found, start=1):
        learned = sum(each.learned is not None for each in found[:number])
        first.observe(step, number if step.predictions else 0, learned)
        seen.append(first.missing)
    return seen


def test_each_state() -> None:
    """A document, a label and a full micro-batch are missing in turn; then nothing is."""
    assert missing(steps([])) == ["the first document"]
    assert missing(steps([None, "a", "a", "b", "a"])) == [
        "the first label (documents so far: 1)",
        "the first learning step: 2 of its 4 documents are here",
        GATHERING,
        None,
        None,
    ]


def test_documents_without_labels() -> None:
    """A micro-batch without any label teaches nothing, and another one is gathered."""
    found = missing(steps([None] * 6 + ["a"]))
    assert found[5] == "the first label (documents so far: 6)"
    assert found[6] == GATHERING


def test_late_labels() -> None:
    """With late labels, documents count once their labels are there."""
    assert missing(steps([None] * 5, late=True))[-1] == "the first label (documents so far: 5)"
    assert missing(steps([None, "a"], late=True))[-1] == (
        "the first learning step: 1 of its 4 labelled documents are here"
    )


@pytest.mark.parametrize(("labels", "lines"), [("abc", 1), ("abcd", 0)])
def test_log_of_a_quiet_topic(labels: str, lines: int) -> None:
    """The log says once what is missing, after some time in which nothing has arrived."""
    now = [0.0]
    first = FirstStep(clock=lambda: now[0])
    found = steps(list(labels))
    with capture_logs() as logged:
        for number, step in enumerate(found):
            now[0] += QUIET_SECONDS - 1
            first.observe(step, number + 1, int(step.learned is not None))
        assert logged == []
        for _ in range(3):
            now[0] += QUIET_SECONDS
            first.observe(found[-1], len(found), int(lines == 0))
    assert [line["waiting_for"] for line in logged] == lines * [GATHERING]


def test_restored_run() -> None:
    """A run that was restored after its first learning step waits for nothing."""
    first = FirstStep()
    first.observe(steps(["a"])[0], documents=33, steps=1)
    assert first.missing is None
