"""Why connections to Kafka fail: its client only logs the reasons."""

import logging
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

SIGN_IN = KafkaConnection._sasl_authenticate.__name__  # noqa: SLF001


@contextmanager
def failures_of_connections() -> Iterator[Sequence[Exception]]:
    """Collect the reasons of failed connection attempts, which the client only logs."""
    failures: list[Exception] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            match record.args:
                case (_, Exception() as reason, *_):  # of Kafka, or of Kerberos
                    failures.append(reason)

    logger = logging.getLogger("kafka.net.manager")
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.addHandler(collector := Collector())
    try:
        yield failures
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate = propagate


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


def _is_signing_in(failure: Exception) -> bool:
    """Return whether a connection failed while the user signed in."""
    return SIGN_IN in {frame.name for frame in traceback.extract_tb(failure.__traceback__)}
