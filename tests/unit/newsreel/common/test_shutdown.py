"""Orderly shutdown after Ctrl-C and SIGTERM."""

import signal
from collections.abc import Iterator

import pytest

from newsreel.common.shutdown import Shutdown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal(number: signal.Signals) -> None:
    """The first signal requests a shutdown and ends a sleep."""
    with Shutdown() as shutdown:
        assert not shutdown.requested
        signal.raise_signal(number)
        assert shutdown.requested
        shutdown.sleep(3600)


@pytest.fixture(autouse=True)
def _accept_signals() -> Iterator[None]:
    """Accept SIGINT even if a shell started this process in the background, without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_second_signal_ends() -> None:
    """The second Ctrl-C ends the program as if there were no handler."""
    with Shutdown() as shutdown:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert shutdown.requested


def test_handlers_are_restored() -> None:
    """After the block, signals have their former handlers."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Shutdown():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_sleep() -> None:
    """Without a signal, a sleep ends after its time."""
    with Shutdown() as shutdown:
        shutdown.sleep(0.001)
        assert not shutdown.requested
