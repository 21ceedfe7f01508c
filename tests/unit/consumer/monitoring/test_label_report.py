"""Late labels that find no document are reported, with a reason and not too often."""

from dataclasses import replace

import pytest
from loops import build_loop, numbered, read
from structlog.testing import capture_logs

from consumer.loop.labelling import Orphan, OrphanReason
from consumer.loop.step import Step
from consumer.monitoring.label_report import REPORT_SECONDS, LabelReport


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def step() -> Step:
    (step,) = read(build_loop(), numbered("a"))
    return step


def with_labels(
    step: Step, *orphans: tuple[str, OrphanReason], early: int = 0, lag: int = 0
) -> Step:
    found = [Orphan(*orphan) for orphan in orphans]
    return replace(
        step,
        labelled=replace(step.labelled, orphans=found, early=early),
        batch=replace(step.batch, label_lag=lag, lag={0: 0}),
    )


def test_reasons(step: Step) -> None:
    """Each reason has a line with number, topic, example and the option that helps."""
    report = LabelReport("t.labels", Clock())
    with capture_logs() as log:
        report.observe(
            with_labels(
                step,
                ("d1", OrphanReason.EXPIRED),
                ("d2", OrphanReason.EXPIRED),
                ("x", OrphanReason.NO_DOCUMENT),
            )
        )
    expired, unknown = log
    assert "--pending-capacity" in expired["event"]
    assert (expired["labels"], expired["topic"], expired["example"]) == (2, "t.labels", "d2")
    assert "--id-field" in unknown["event"]
    assert (unknown["labels"], unknown["example"]) == (1, "x")


def test_not_too_often(step: Step) -> None:
    """Further orphans are counted up to the next line, or to the end of the run."""
    clock = Clock()
    report = LabelReport("t.labels", clock)
    orphan = with_labels(step, ("x", OrphanReason.NO_DOCUMENT))
    with capture_logs() as log:
        for _ in range(3):
            report.observe(orphan)
        clock.now = REPORT_SECONDS
        report.observe(with_labels(step))
        report.observe(orphan)
        report.finish()
        report.finish()
    assert [line["labels"] for line in log] == [1, 2, 1]


def test_labels_that_wait(step: Step) -> None:
    """Labels that wait for a minute, with both topics read to their ends, are reported once."""
    clock = Clock()
    report = LabelReport("t.labels", clock)
    with capture_logs() as log:
        for lag in (5, 0, 0):
            clock.now += REPORT_SECONDS - 1
            report.observe(with_labels(step, early=3, lag=lag))
        assert log == []
        for _ in range(5):
            clock.now += REPORT_SECONDS
            report.observe(with_labels(step, early=3))
        report.finish()
    assert [line["labels"] for line in log] == [3]


def test_end_of_a_run(step: Step) -> None:
    """Labels that wait at the end of a run are reported; where none do, nothing is."""
    with capture_logs() as log:
        report = LabelReport("t.labels", Clock())
        report.observe(with_labels(step, early=1))
        report.finish()
        report = LabelReport("t.labels", Clock())
        report.observe(with_labels(step))
        report.finish()
    assert ["late labels wait" in line["event"] for line in log] == [True]
