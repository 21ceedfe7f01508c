"""Create the topics of the consumer's output again when they were deleted."""

from collections.abc import Iterable
from contextlib import suppress

import structlog
from kafka import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from consumer.kafka.outbox import Outgoing
from newsreel.common import kafka
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection
from newsreel.common.kafka_errors import cause

log = structlog.get_logger()


def restore_topics(connection: Connection, error: Exception, records: Iterable[Outgoing]) -> None:
    """Create topics that records are sent to and that are missing, after an error that says so.

    The client waits for a topic that it does not know, until a timeout.
    """
    if not isinstance(cause(error), (UnknownTopicOrPartitionError, KafkaTimeoutError)):
        return
    # The broker may be away: then the commit is tried again, and this with it.
    with (
        suppress(KafkaError, OSError, kafka.BrokerUnreachableError),
        kafka.admin(connection) as client,
    ):
        for topic in sorted({record.topic for record in records}):
            if not kafka.partitions(client, topic):
                _create(client, topic)


def _create(client: KafkaAdminClient, topic: str) -> None:
    log.warning("the topic is gone, creating it again", topic=topic)
    try:
        kafka.ensure(client, topic, count=1)
    except UserError as error:
        log.warning("commits wait for the topic", topic=topic, error=str(error))
