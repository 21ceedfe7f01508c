"""A broker of Apache Kafka, which tests can kill, pause and start again."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kafka.errors import KafkaError

from harness import maven, supervisor
from harness.broker import BrokerStartError, free_port
from newsreel.common import kafka
from newsreel.common.connecting import listens
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

START_SECONDS = 90.0

HEAP = "-Xmx512m"


class ApacheBroker:
    """A broker of a cluster, which is a controller, too.

    Parameters
    ----------
    number
        Number of the broker in its cluster, from 1.
    folder
        Folder of the broker's data, properties and log.
    jars
        Folder of Kafka's jar files.
    port
        TCP port for clients; by default, a free one.

    Attributes
    ----------
    address
        Address for clients, ``host:port``.
    internal
        Address for brokers and tests, ``host:port``: it never asks for a password.
    controller
        Address for the controllers of the cluster.
    """

    def __init__(self, number: int, folder: Path, jars: Path, port: int | None = None) -> None:
        self.number = number
        self.address = f"127.0.0.1:{port or free_port()}"
        self.internal = f"127.0.0.1:{free_port()}"
        self.controller = f"127.0.0.1:{free_port()}"
        self._folder = folder.resolve()
        self._jars = jars
        self._process: subprocess.Popen[bytes] | None = None

    def format(self, cluster: str, properties: Mapping[str, str], *options: str) -> None:
        """Write the broker's properties, and format its folder of data if that is new.

        Raises
        ------
        BrokerStartError
            Kafka refuses the properties.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        listeners = (
            f"CLIENT://{self.address},INTERNAL://{self.internal},CONTROLLER://{self.controller}"
        )
        own = {
            "node.id": str(self.number),
            "listeners": listeners,
            "advertised.listeners": f"CLIENT://{self.address},INTERNAL://{self.internal}",
            "log.dirs": str(self._folder / "data"),
        }
        lines = (f"{name}={value}\n" for name, value in {**own, **properties}.items())
        self._properties.write_text("".join(lines))
        if (self._folder / "data").exists():
            return
        done = subprocess.run(  # noqa: S603 - our own command
            [
                *self._java("kafka.tools.StorageTool"),
                *("format", f"--cluster-id={cluster}", f"--config={self._properties}", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BrokerStartError(f"Kafka does not format its folder: {done.stdout.strip()}")

    def launch(self) -> None:
        """Start the broker, without waiting."""
        with self._log.open("ab") as log:
            command = [*self._java("kafka.Kafka", HEAP), str(self._properties)]
            self._process = supervisor.start(command, log)

    def start(self) -> None:
        """Start the broker and wait until it answers and belongs to the cluster.

        Raises
        ------
        BrokerStartError
            The broker does not answer in time, or ends.
        """
        self.launch()
        self.wait()

    def wait(self) -> None:
        """Wait until the broker answers and belongs to the cluster.

        Raises
        ------
        BrokerStartError
            The broker does not answer in time, or ends.
        """
        if not supervisor.wait_until(self._is_there, self._process, START_SECONDS):
            raise BrokerStartError(
                f"Apache Kafka did not start; its log {self._log} has the reason"
            )

    def stop(self) -> None:
        """End the broker with SIGTERM: it hands its partitions over first."""
        if self._process is not None:
            supervisor.stop(self._process)
            self._process = None

    def kill(self) -> None:
        """Kill the broker with SIGKILL."""
        if self._process is not None:
            supervisor.kill(self._process)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend the broker until the ``with`` block ends; connections stay open."""
        with supervisor.paused(self._process):
            yield

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    @property
    def _log(self) -> Path:
        return self._folder / "broker.log"

    def _java(self, main: str, *options: str) -> list[str]:
        return ["java", *maven.JAVA_OPTIONS, *options, "-cp", f"{self._jars}/*", main]

    def _is_there(self) -> bool:
        if not listens(self.internal):
            return False
        try:
            with kafka.admin(Connection(self.internal)) as admin:
                brokers = admin.describe_cluster()["brokers"]
        except (OSError, UserError, KafkaError):
            return False
        port = int(self.internal.rpartition(":")[2])
        return any(port == broker["port"] for broker in brokers)
