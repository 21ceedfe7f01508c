"""The error when no Kafka broker answers."""

import socket
import threading
from collections.abc import Iterator

import pytest

from newsreel.common import kafka
from newsreel.common.kafka import BrokerUnreachableError, Connection


@pytest.fixture(autouse=True)
def _short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT_MS", 300)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Yield a port in use, so that no other program gets it, on which no program listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def web_server() -> Iterator[int]:
    """Yield a port on which a web server answers."""
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
    """The message has the address and names the options that change it."""
    message = refusal(f"127.0.0.1:{closed_port}")
    assert f"'127.0.0.1:{closed_port}'" in message
    assert "--bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS" in message


def test_no_broker_answers(web_server: int) -> None:
    """A web server is no broker; the message says that a program listens there."""
    message = refusal(f"127.0.0.1:{web_server}")
    assert str(web_server) in message
    assert "a program listens there" in message
    assert "--security-protocol than PLAINTEXT" in message


@pytest.mark.parametrize("address", ["", "127.0.0.1:port", "127.0.0.1:99999", "no host:1", "::"])
def test_malformed_address(address: str) -> None:
    """A malformed address counts as unreachable broker."""
    assert repr(address) in refusal(address)
