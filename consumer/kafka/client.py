"""Connect the Kafka client of a poller."""

from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer

RESPONSE_BYTES = 1 << 30
"""Largest response of a broker. Kafka keeps to the size that is asked for; other brokers send
everything that waits, and a client that refuses such a response would ask for it for ever."""


def connect(options: Mapping[str, Any]) -> KafkaConsumer:
    """Connect a client for `TopicClient`: without a group, and without a default position."""
    return KafkaConsumer(
        **options,
        receive_message_max_bytes=RESPONSE_BYTES,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )
