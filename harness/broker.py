"""An embedded Kafka broker, from the Python package noida-db."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from harness import supervisor
from newsreel.common import cli, kafka
from newsreel.common.connecting import listens
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection
from newsreel.common.settings import KafkaSettings

START_SECONDS = 30.0


class BrokerStartError(UserError):
    """A broker did not start."""


class EmbeddedKafka:
    """Runs noida-db's Kafka on the loopback interface until the ``with`` block ends.

    Parameters
    ----------
    folder
        Folder of the broker's data and log. Data of an earlier broker is served again.
    port
        TCP port of the loopback interface; by default, a free one.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap_servers = f"127.0.0.1:{port or free_port()}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start the broker and wait until it answers; after `stop`, it gets the same port again.

        Raises
        ------
        BrokerStartError
            The broker does not answer in time, or ends.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        binary = files("noida_db").joinpath("noida-db")
        port = self.bootstrap_servers.rpartition(":")[2]
        command = [str(binary), "start", "--only", "kafka", "--kafka-port", port]
        with (self._folder / "broker.log").open("ab") as log:
            self._process = supervisor.start(
                [*command, "--data-dir", str((self._folder / "data").resolve())], log
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the broker, which writes its data to disk first."""
        if self._process is not None:
            supervisor.stop(self._process)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend the broker until the ``with`` block ends; connections stay open."""
        with supervisor.paused(self._process):
            yield

    def _wait_until_ready(self) -> None:
        if not supervisor.wait_until(self._answers, self._process, START_SECONDS):
            raise BrokerStartError(
                f"the embedded Kafka did not start; its log {self._folder / 'broker.log'} has"
                " the reason. To use another broker, set KAFKA_BOOTSTRAP_SERVERS"
            )

    def _answers(self) -> bool:
        if not listens(self.bootstrap_servers):
            return False
        with kafka.admin(Connection(self.bootstrap_servers)):
            return True


@contextmanager
def find_kafka(folder: Path) -> Iterator[Connection]:
    """Connect to the Kafka that the environment names, or start an embedded one in a folder."""
    if "KAFKA_BOOTSTRAP_SERVERS" in os.environ:
        yield cli.parse(KafkaSettings, []).connection
        return
    with EmbeddedKafka(folder) as broker:
        yield Connection(broker.bootstrap_servers)


def program_environment(connection: Connection) -> dict[str, str]:
    """Return this process's environment with the address of a Kafka for newsreel's programs."""
    # The environment's security options belong to another Kafka than an embedded one.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if connection.security or not name.startswith("KAFKA_")
    }
    return inherited | {"KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers}


def free_port() -> int:
    """Return a TCP port of the loopback interface on which no program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
