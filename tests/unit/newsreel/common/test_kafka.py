"""The connection to Kafka, where there is none."""

import socket
import threading
from collections.abc import Iterator

import pytest

from newsreel.common import kafka
from newsreel.common.kafka import BrokerUnreachableError, Connection


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT_MS", 300)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Yield a port that is taken, so that nobody else gets it, but where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def no_broker() -> Iterator[int]:
    """Yield a port where something else than Kafka answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def refusal(bootstrap_servers: str) -> str:
    with (
        pytest.raises(BrokerUnreachableError) as refused,
        kafka.admin(Connection(bootstrap_servers)),
    ):
        pass
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


def test_unreachable_broker(closed_port: int) -> None:
    """The message names the address and says how to name another."""
    message = refusal(f"127.0.0.1:{closed_port}")
    assert f"'127.0.0.1:{closed_port}'" in message
    assert "--bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS" in message


def test_something_else_answers(no_broker: int) -> None:
    """A web server is not taken for a broker."""
    assert str(no_broker) in refusal(f"127.0.0.1:{no_broker}")


@pytest.mark.parametrize("address", ["", "127.0.0.1:port", "127.0.0.1:99999", "no host:1", "::"])
def test_malformed_address(address: str) -> None:
    """An address that can't be one is treated like a broker that is not there."""
    assert repr(address) in refusal(address)
