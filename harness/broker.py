"""A real Kafka broker from a Python package, for the demo and the tests."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from harness import supervisor
from newsreel.common import cli, kafka
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection
from newsreel.common.settings import KafkaSettings

START_SECONDS = 30.0


class BrokerStartError(UserError):
    """The embedded broker did not come up."""


class EmbeddedKafka:
    """noida-db's Kafka on a free port of the loopback interface, until the ``with`` block ends.

    Parameters
    ----------
    folder
        Where it keeps its data and its log. Data of an earlier life is served again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap_servers = f"127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start the broker and wait until it answers; once more on the same port after `stop`.

        Raises
        ------
        BrokerStartError
            It does not come up.
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
        """End the broker; it writes what it holds to disk first."""
        if self._process is not None:
            supervisor.stop(self._process)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the broker as it stands until the ``with`` block ends: nothing answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGUSR1)
        try:
            yield
        finally:
            if self._process is not None:
                self._process.send_signal(signal.SIGUSR2)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        host, _, port = self.bootstrap_servers.rpartition(":")
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                time.sleep(0.05)
                continue
            with kafka.admin(Connection(self.bootstrap_servers)):
                return
        log = self._folder / "broker.log"
        raise BrokerStartError(
            f"the embedded Kafka did not start; {log} says why."
            " To use a broker of your own, set KAFKA_BOOTSTRAP_SERVERS"
        )


@contextmanager
def find_kafka(folder: Path) -> Iterator[Connection]:
    """Find the Kafka that the environment names, else start an embedded one in this folder."""
    if "KAFKA_BOOTSTRAP_SERVERS" in os.environ:
        yield cli.parse(KafkaSettings, []).connection
        return
    with EmbeddedKafka(folder) as broker:
        yield Connection(broker.bootstrap_servers)


def program_environment(connection: Connection) -> dict[str, str]:
    """Return this process's environment, in which newsreel's programs find the same Kafka."""
    # An embedded one must not be met with what the environment says of another's security.
    stays = {n: v for n, v in os.environ.items() if connection.security or n[:6] != "KAFKA_"}
    return stays | {"KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers}


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
