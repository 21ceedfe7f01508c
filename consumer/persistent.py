"""A transaction goes on when its broker is back; kafka-python forgets what it was about to ask.

Its sender expects to be told that a broker is not ready and then puts the request back. In 3.0.12
it gets an exception instead, behind which the request is lost: flushing waits until the records
expire, and sending offsets or committing waits for ever.
"""

import time
from typing import Any

from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

PAUSE_SECONDS = 0.1
"""Between tries: the sender itself goes on at once."""

_raising = KafkaNetClient.await_ready


def _await_ready(client: Any, *arguments: Any, **options: Any) -> bool:
    try:
        return bool(_raising(client, *arguments, **options))
    except KafkaError:
        time.sleep(PAUSE_SECONDS)
        return False


def install() -> None:
    """Let senders know when a broker is not ready."""
    KafkaNetClient.await_ready = _await_ready
