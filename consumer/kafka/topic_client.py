"""Read one topic with a Kafka client, by numbers of partitions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.util import Timer

from consumer.kafka.look import Look, Observatory
from consumer.kafka.open_transactions import OpenTransaction, find_open

Fetch = Mapping[int, list[ConsumerRecord]]
"""Records of one fetch, by partition."""

ENOUGH_RECORDS = 512
ENOUGH_BYTES = 4 << 20
"""Records of one fetch, and bytes of their values, after which no further partition is added."""


class TopicClient:
    """A Kafka client that reads all partitions of one topic; one thread uses it.

    Parameters
    ----------
    consumer
        Client without an assignment, see `consumer.kafka.client.connect`.
    topic
        Topic to read.
    connect
        Connects another client like it.
    """

    def __init__(
        self, consumer: KafkaConsumer, topic: str, connect: Callable[[], KafkaConsumer]
    ) -> None:
        self.topic = topic
        self._connect = connect
        self._consumer = consumer
        self._observatory = Observatory(consumer, topic)
        self._question: Any = None
        self._paused: set[int] = set()
        self._assigned: set[int] = set()
        self._error: Exception | None = None

    @property
    def user(self) -> str | None:
        """User as which the client signs in with a password; None without one."""
        user: str | None = self._consumer.config["sasl_plain_username"]
        return user

    def assign(self, positions: Mapping[int, int]) -> None:
        """Read some partitions from their positions on, beside those that are read already."""
        self._assigned |= positions.keys()
        self._consumer.assign([self._name(partition) for partition in sorted(self._assigned)])
        for partition, offset in positions.items():
            self.seek(partition, offset)

    def seek(self, partition: int, offset: int) -> None:
        """Read a partition from an offset on."""
        self._consumer.seek(self._name(partition), offset)

    def fetch(self, partitions: set[int], at_most: int, timeout: float) -> Fetch:
        """Fetch records of some partitions.

        Asking is as much work as many partitions are read, so one fetch returns records of many
        partitions.

        Parameters
        ----------
        partitions
            Partitions to fetch.
        at_most
            Number of records of each partition, at least 1.
        timeout
            Seconds to wait for a record; less if a broker answers that there is none.

        Raises
        ------
        KafkaError
            The broker does not answer, or refuses.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        self._pause(self._assigned - partitions)
        # The public call asks again and again where a broker answers at once with nothing.
        found = self._consumer._poll_once(Timer(int(timeout * 1000)), at_most)  # noqa: SLF001
        fetched: dict[int, list[ConsumerRecord]] = {}
        count = size = 0
        while found:
            for name, records in found.items():
                fetched[name.partition] = records
                count += len(records)
                size += sum(len(record.value or b"") for record in records)
            if count >= ENOUGH_RECORDS or size >= ENOUGH_BYTES:
                break
            self._pause(self._paused | fetched.keys())
            try:
                found, _ = self._consumer._fetcher.fetched_records(at_most)  # noqa: SLF001
            except Exception as error:  # noqa: BLE001 - raised by the next call
                self._error = error
                break
        return fetched

    def positions(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the next offset to fetch, by partition."""
        # The public call waits for brokers, and looks at all partitions for each one.
        position = self._consumer._subscription.position  # noqa: SLF001
        return {partition: position(self._name(partition)).offset for partition in partitions}

    def ask(self, positions: Mapping[int, int]) -> None:
        """Ask how the topic is, without waiting; `answer` has the answer later."""
        if self._question is None:
            self._question = self._consumer._manager.call_soon(  # noqa: SLF001
                self._observatory.look, positions
            )

    def answer(self) -> Look | None:
        """Return the answer to the last question once, as soon as it is there.

        Raises
        ------
        KafkaError
            No broker answers, or it refuses to describe the topic.
        """
        question = self._question
        if question is None or not question.is_done:
            return None
        self._question = None
        if question.exception is not None:
            raise question.exception
        look: Look = question.value
        return look

    def look(self, positions: Mapping[int, int]) -> Look:
        """Ask how the topic is, and wait for the answer.

        Raises
        ------
        KafkaError
            No broker answers, or it refuses to describe the topic.
        """
        self._observatory.forget()
        look: Look = self._run(self._observatory.look, positions)
        return look

    def beginnings(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the first offset of partitions, of those whose leader answers."""
        found: dict[int, int] = self._run(self._observatory.beginnings, list(partitions))
        return found

    def open_transactions(self, partitions: Iterable[int]) -> dict[int, OpenTransaction]:
        """Return the oldest open transaction of partitions, as far as brokers say."""
        found: dict[int, OpenTransaction] = self._run(
            find_open, self._consumer, self.topic, list(partitions)
        )
        return found

    def place(self) -> str:
        """Return where a fetch has failed: a partition and an offset, if they are known."""
        reading = self._consumer._fetcher._next_partition_records  # noqa: SLF001
        if reading is None:
            return f"{self.topic!r}"
        partition = reading.topic_partition.partition
        return f"partition {partition} of {self.topic!r} at offset {reading.next_fetch_offset}"

    def renew(self) -> None:
        """Go on with a new client, from the same positions.

        Raises
        ------
        KafkaError
            No broker answers; the old client is still there.
        """
        positions = self.positions(self._assigned)
        consumer = self._connect()
        self.close()
        self._consumer = consumer
        self._observatory = Observatory(consumer, self.topic)
        self._question = None
        self._paused = set()
        self._error = None
        self.assign(positions)

    def close(self) -> None:
        """Close the client."""
        self._consumer.close(autocommit=False)

    def _pause(self, partitions: set[int]) -> None:
        self._consumer.pause(*map(self._name, partitions - self._paused))
        self._consumer.resume(*map(self._name, self._paused - partitions))
        self._paused = partitions

    def _run(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        return self._consumer._net.run(ask, *arguments)  # noqa: SLF001

    def _name(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)
