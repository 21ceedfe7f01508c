"""Connect the Kafka client of a poller."""

from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer

RESPONSE_BYTES = 1 << 30
"""Largest response of a broker. Kafka keeps to the size that is asked for; other brokers send
everything that waits, and a client that refuses such a response would ask for it for ever."""

METADATA_MS = 30_000
"""Milliseconds until the client asks for new partitions."""


def connect(options: Mapping[str, Any]) -> KafkaConsumer:
    """Connect a client for `Poller`: without a group, and without a default position."""
    return KafkaConsumer(
        **options,
        metadata_max_age_ms=METADATA_MS,
        receive_message_max_bytes=RESPONSE_BYTES,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )
