"""Connect the client that reads a topic, and ask for the topic's state, at a start."""

import time
from collections.abc import Callable, Collection

import structlog
from kafka import KafkaConsumer
from kafka.errors import LeaderNotAvailableError

from consumer.kafka.client import connect
from consumer.kafka.config import Since
from consumer.kafka.topic_state import TopicState, read_state
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.kafka import Connection
from newsreel.common.retrying import Waiting, retry

LEADERLESS_SECONDS = 15.0
"""Seconds in which a partition usually gets another leader; then the others are read without it."""

log = structlog.get_logger()


def open_topic(
    connection: Connection,
    topic: str,
    since: Since,
    stopping: Callable[[], bool],
    known: Collection[int] = (),
) -> tuple[KafkaConsumer, TopicState]:
    """Connect a client without an assignment, and return it with the state of the topic.

    A partition that stays without a leader is left out, if its offsets are not needed: reading goes
    on there when the partition has a leader again. One partition at least must be known, or led.

    Parameters
    ----------
    connection
        Broker of the topic.
    topic
        Topic to read.
    since
        Where a new group begins, see `read_state`.
    stopping
        Returns whether the program is about to end.
    known
        Partitions whose position is known. Another one without a leader is waited for, unless a new
        group begins at the earliest record: an added partition is read from there, too.

    Raises
    ------
    RefusalError, OutageError, StoppedError
    """
    patient_until = time.monotonic() + LEADERLESS_SECONDS

    def attempt() -> tuple[KafkaConsumer, TopicState]:
        reader = connect(connection.options)
        try:
            state = read_state(reader, connection, topic, since)
            needed = state.leaderless
            if time.monotonic() >= patient_until:
                needed = _needed(state, since, known)
            require_leaders(needed)
        except BaseException:
            reader.close(autocommit=False)
            raise
        warn_of_leaderless(topic, state.leaderless)
        return reader, state

    waiting = Waiting(
        f"the partitions of topic {topic!r}", lambda: diagnose(connection, Need((topic,)))
    )
    return retry(attempt, waiting, stopping)


def _needed(state: TopicState, since: Since, known: Collection[int]) -> frozenset[int]:
    """Return the partitions without a leader of which an offset must be known."""
    unknown = state.leaderless - set(known)
    others = state.ends or known
    return frozenset() if since == "earliest" and others else unknown


def require_leaders(leaderless: frozenset[int]) -> None:
    """Raise the error of partitions without a leader if there are any."""
    if leaderless:
        raise LeaderNotAvailableError(leaderless)


def warn_of_leaderless(topic: str, leaderless: frozenset[int]) -> None:
    """Log which partitions are left out, if any are."""
    if leaderless:
        log.warning(
            "partitions without a leader: the others are read",
            topic=topic,
            partitions=sorted(leaderless),
        )
