"""Try requests to Kafka again while what is wrong may heal: one rule for all programs."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

import structlog
from kafka.errors import KafkaError

from newsreel.common.errors import UserError
from newsreel.common.kafka_errors import explain, heals
from newsreel.common.shutdown import WAKE_SECONDS, StoppedError

START_SECONDS = 60.0
"""Seconds for which a start tries again: most brokers restart in less."""

RETRY_SECONDS = 1.0
"""Seconds between a failed attempt and the next one."""

SAY_SECONDS = 60.0
"""Seconds between two log lines about the same wait."""

SLOW_SECONDS = 10.0
"""Seconds after which a request that has not failed is looked into."""

T = TypeVar("T")

log = structlog.get_logger()


class OutageError(UserError):
    """Kafka did not heal in the time that a start waits for it."""

    heals = True


class RefusalError(UserError):
    """Kafka refuses a request for good; the message names the setting or the right to change."""


class Waiting:
    """Says what a program waits for, once for each minute of the wait.

    Parameters
    ----------
    task
        What the program does, such as "a commit".
    diagnose
        Looks at the cluster, and returns what is wrong there; None if all is well.
    clock
        Seconds that only go forward.

    Attributes
    ----------
    reason
        What was last found to be wrong; None if nothing was said since the last success.
    """

    def __init__(
        self,
        task: str,
        diagnose: Callable[[], str | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task = task
        self.reason: str | None = None
        self._diagnose = diagnose
        self._clock = clock
        self._said: float | None = None
        self._logged = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at the cluster if the ``with`` block takes long, and log what is wrong there."""
        timer = threading.Timer(SLOW_SECONDS, self._log, [self._diagnose])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def say(self, error: BaseException) -> None:
        """Log why the program waits, unless the last line is younger than a minute."""
        self._log(lambda: self._reason(error))

    def outage(self, error: BaseException) -> UserError:
        """Return the error of a wait that was too long."""
        if isinstance(error, UserError):
            return error
        return OutageError(
            f"Kafka is not ready for {self._task}: {self._reason(error)}; check the brokers, then"
            " start again"
        )

    def end(self) -> None:
        """Log that the wait is over, if a line says that the program waits."""
        self._said = self.reason = None
        if self._logged:
            self._logged = False
            log.info("Kafka is ready", task=self._task)

    def _log(self, look: Callable[[], str | None]) -> None:
        """Log what a look finds; it takes some seconds, and meanwhile the wait may end."""
        now = self._clock()
        if self._said is not None and now < self._said + SAY_SECONDS:
            return
        self._said = now
        reason = look()
        if self._said != now:
            return
        if reason is None:
            self._said = None
            return
        self._logged = True
        self.reason = reason
        log.warning("waiting for Kafka", task=self._task, reason=reason)

    def _reason(self, error: BaseException) -> str:
        """Return what is wrong: what the cluster shows, else what the error says."""
        if isinstance(error, UserError):
            return str(error)
        return self._diagnose() or explain(error)


def retry(
    action: Callable[[], T],
    waiting: Waiting,
    stopping: Callable[[], bool] | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Call a function until it succeeds, fails for good, or has failed for some time.

    Parameters
    ----------
    action
        Function that talks to Kafka; it may be called several times.
    waiting
        Says what the program waits for.
    stopping
        Returns whether the program is about to end; checked at least every second. Without it,
        Ctrl-C ends the program as usual.
    seconds
        Seconds after which a failure ends the attempts; `START_SECONDS` by default.
    clock
        Seconds that only go forward.

    Raises
    ------
    StoppedError
        The program is stopping.
    RefusalError
        The failure never heals.
    OutageError
        The failure has not healed in time.
    UserError
        The action raised it, and it does not heal, or has not healed in time.
    """
    deadline = clock() + (START_SECONDS if seconds is None else seconds)

    def attempts() -> T:
        while True:
            try:
                with waiting.watched():
                    result = action()
            except (KafkaError, OSError, UserError) as error:
                if stopping is not None and stopping():
                    raise StoppedError from error
                if not heals(error):
                    raise refusal(error) from error
                if clock() + RETRY_SECONDS >= deadline:
                    raise waiting.outage(error) from error
                waiting.say(error)
                time.sleep(RETRY_SECONDS)
            else:
                waiting.end()
                return result

    return interruptible(attempts, stopping)


def refusal(error: Exception) -> Exception:
    """Return the error of a request that Kafka refuses for good."""
    if isinstance(error, UserError):
        return error
    return RefusalError(f"Kafka refuses a request: {explain(error)}")


def interruptible(action: Callable[[], T], stopping: Callable[[], bool] | None) -> T:
    """Call a function, and leave it behind in a thread when the program is about to end.

    Parameters
    ----------
    action
        Function that may wait for long, such as one of Kafka's client.
    stopping
        Returns whether the program is about to end.

    Raises
    ------
    StoppedError
        The program is about to end.
    """
    if stopping is None:
        return action()
    if stopping():
        raise StoppedError
    outcome: Future[T] = Future()
    thread = threading.Thread(target=_settle, args=[action, outcome], daemon=True)
    thread.start()
    while not wait([outcome], WAKE_SECONDS).done:
        if stopping():
            raise StoppedError
    return outcome.result()


def _settle(action: Callable[[], T], outcome: "Future[T]") -> None:
    try:
        outcome.set_result(action())
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
        outcome.set_exception(error)
