"""Log lines for people and for collectors: one event a line, on standard error."""

import logging
import sys

import structlog


def configure() -> None:
    """Send structlog to standard error and keep the Kafka client's retries out of the way."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    # An outage shows as our own log lines and metrics; the client would repeat it many times.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
