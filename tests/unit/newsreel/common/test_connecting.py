"""The reasons of failed connections, which the client only logs."""

import logging
from contextlib import ExitStack

import pytest

from newsreel.common.connecting import failures_of_connections

LOGGER = logging.getLogger("kafka.net.manager")


def fail(reason: Exception) -> None:
    LOGGER.warning("Bootstrap connection to %s failed: %s", "bootstrap-0", reason)


def test_several_collect_at_the_same_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of several threads gets the failures of its time; then the log is as it was."""
    before = LOGGER.level, LOGGER.propagate, list(LOGGER.handlers)
    with ExitStack() as first, ExitStack() as second:
        seen = first.enter_context(failures_of_connections())
        fail(OSError("one"))
        also = second.enter_context(failures_of_connections())
        first.close()
        fail(OSError("two"))
        second.close()
    assert ([str(each) for each in seen], [str(each) for each in also]) == (["one"], ["two"])
    assert (LOGGER.level, LOGGER.propagate, list(LOGGER.handlers)) == before
    assert capsys.readouterr().err == ""
