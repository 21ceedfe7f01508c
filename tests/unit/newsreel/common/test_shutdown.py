"""Ctrl-C and SIGTERM."""

import signal
from collections.abc import Iterator

import pytest

from newsreel.common.shutdown import Shutdown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_asks(number: signal.Signals) -> None:
    """The first signal asks for an end and wakes who sleeps."""
    with Shutdown() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
        stop.sleep(3600)


@pytest.fixture(autouse=True)
def _signals_are_heard() -> Iterator[None]:
    """Undo what a shell may do to background jobs: start them with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_second_signal_ends() -> None:
    """A second Ctrl-C does what it always does."""
    with Shutdown() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.requested


def test_handlers_are_restored() -> None:
    """After the block, signals mean what they meant before."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Shutdown():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_sleeps() -> None:
    """Without a signal, a short sleep ends by itself."""
    with Shutdown() as stop:
        stop.sleep(0.001)
        assert not stop.requested
