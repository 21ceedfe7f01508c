"""Why connections to Kafka fail: its client only logs the reasons."""

import logging
import socket
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka.errors import (
    KafkaConnectionError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.connection import KafkaConnection

CUT_OFF = 3
"""Connections that end while a user signs in, after which this user counts as refused."""

DISTRUST = "CERTIFICATE_VERIFY_FAILED"

LISTEN_SECONDS = 1.0
"""Seconds in which a program accepts a connection if it listens."""

SIGN_IN = KafkaConnection._sasl_authenticate.__name__  # noqa: SLF001


class _Collector(logging.Handler):
    """Keeps the errors among the arguments of log lines."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__()
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        match record.args:
            case (_, Exception() as reason, *_):  # of Kafka, or of Kerberos
                self._failures.append(reason)


class _ClientLog:
    """The log of the client's connections, which several threads may collect at the same time."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("kafka.net.manager")
        self._lock = threading.Lock()
        self._collectors = 0
        self._usual = self._logger.level, self._logger.propagate

    @contextmanager
    def sent_to(self, collector: logging.Handler) -> Iterator[None]:
        """Send the log to a collector, and nowhere else, until the ``with`` block ends."""
        with self._lock:
            if not self._collectors:
                self._usual = self._logger.level, self._logger.propagate
            self._collectors += 1
            self._logger.setLevel(logging.WARNING)
            self._logger.propagate = False
            self._logger.addHandler(collector)
        try:
            yield
        finally:
            with self._lock:
                self._collectors -= 1
                self._logger.removeHandler(collector)
                if not self._collectors:
                    level, self._logger.propagate = self._usual
                    self._logger.setLevel(level)


_client_log = _ClientLog()


@contextmanager
def failures_of_connections() -> Iterator[Sequence[Exception]]:
    """Collect the reasons of failed connection attempts, which the client only logs."""
    failures: list[Exception] = []
    with _client_log.sent_to(_Collector(failures)):
        yield failures


def refusal(failures: Sequence[Exception]) -> Exception | None:
    """Return the failure of a connection that shows that a user could not sign in, or None.

    Some brokers close the connection where they refuse a password. A broker that dies does so, too,
    but not each time: only several connections that end while the user signs in count.
    """
    for failure in failures:
        refused = isinstance(failure, SaslAuthenticationFailedError | UnsupportedSaslMechanismError)
        if refused or type(failure).__module__.startswith("gssapi"):
            return failure
    lost = [failure for failure in failures if isinstance(failure, KafkaConnectionError)]
    cut_off = [failure for failure in lost if _is_signing_in(failure)]
    return cut_off[0] if len(cut_off) >= CUT_OFF and len(cut_off) == len(lost) else None


def is_distrust(failures: Sequence[Exception]) -> bool:
    """Return whether connections failed because certificates of brokers are not trusted."""
    # The client gives the text of OpenSSL's error, not the error.
    return bool(failures) and all(DISTRUST in str(each) for each in failures)


def _is_signing_in(failure: Exception) -> bool:
    """Return whether a connection failed while the user signed in."""
    return SIGN_IN in {frame.name for frame in traceback.extract_tb(failure.__traceback__)}


def describe(failures: Sequence[Exception]) -> str:
    """Return the reason of failed connections in brackets; nothing without one.

    The first failure has it: our own time limit may have cut the last attempt short.
    """
    first = (refused := refusal(failures)) or next(iter(failures), None)
    if isinstance(refused, KafkaConnectionError):
        return " (the broker closes the connection while the user signs in)"
    return f" ({' '.join(str(first).split())})" if first else ""


def listens(addresses: str) -> bool:
    """Return whether a program accepts connections at one of some addresses."""
    for address in addresses.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), LISTEN_SECONDS).close()
        except (OSError, ValueError, OverflowError):  # a wrong port is one of the last two
            continue
        return True
    return False
