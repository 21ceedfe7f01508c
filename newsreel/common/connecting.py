"""Why connections to Kafka fail: its client only logs the reasons."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka.errors import SaslAuthenticationFailedError, UnsupportedSaslMechanismError


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


def is_refusal(failure: Exception) -> bool:
    """Return whether a connection failed as a user could not sign in."""
    refused = isinstance(failure, SaslAuthenticationFailedError | UnsupportedSaslMechanismError)
    return refused or type(failure).__module__.startswith("gssapi")
