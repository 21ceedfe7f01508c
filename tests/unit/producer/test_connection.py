"""The connection of the publisher."""

import threading

import pytest
from kafka.errors import KafkaConnectionError

from newsreel.common.kafka import Connection
from newsreel.common.shutdown import StoppedError
from newsreel.events.topics import Names
from producer import connection
from producer.publisher import PublishCounts


def test_a_signal_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal while the producer connects ends the attempts at once."""
    stop = threading.Event()

    def away(**_: object) -> None:
        stop.set()
        raise KafkaConnectionError

    monkeypatch.setattr(connection, "KafkaProducer", away)
    connected = connection.connect(
        Connection("unused"), Names.of("t"), "tests", PublishCounts(), stopping=stop.is_set
    )
    with pytest.raises(StoppedError), connected:
        pass
