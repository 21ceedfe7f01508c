"""Apache Kafka, fetched with Maven: one broker, or a cluster of them."""

import base64
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka.errors import KafkaError

from harness import maven, supervisor
from harness.broker import BrokerStartError, free_port
from newsreel.common import kafka
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

VERSION = "4.1.1"

ARTIFACTS = (
    "org.apache.kafka:kafka_2.13:{}",
    "org.apache.kafka:kafka-tools:{}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.1",
)

START_SECONDS = 90.0

LOOK_SECONDS = 0.1

HEAP = "-Xmx512m"

PROPERTIES = {
    "process.roles": "broker,controller",
    "inter.broker.listener.name": "INTERNAL",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # Fewer partitions than by default, for short starts and few files.
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
}
"""Properties of each broker that are not Kafka's defaults."""


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
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            if self._is_there():
                return
            time.sleep(LOOK_SECONDS)
        raise BrokerStartError(f"Apache Kafka did not start; its log {self._log} has the reason")

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
        host, _, port = self.internal.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            with kafka.admin(Connection(self.internal)) as admin:
                brokers = admin.describe_cluster()["brokers"]
        except (OSError, UserError, KafkaError):
            return False
        return any(int(port) == broker["port"] for broker in brokers)


class ApacheKafka:
    """Runs Apache Kafka on the loopback interface until the ``with`` block ends.

    Topics have a replica on each of the brokers, three at most; two of three must have a record
    before it is acknowledged.

    Parameters
    ----------
    folder
        Folder of the brokers' data and logs. Data of an earlier cluster is served again.
    brokers
        Number of brokers.
    properties
        Properties of all brokers, beside or in place of the usual ones. Clients use the listener
        CLIENT, brokers INTERNAL and controllers CONTROLLER.
    scram
        Users of SCRAM-SHA-256 and their passwords, where the data is new.
    port
        TCP port of the first broker for clients, which the others follow; by default, free ones.
    version
        Version of Kafka.

    Attributes
    ----------
    brokers
        The brokers, each of which can be killed, ended, paused and started.

    Examples
    --------
    >>> with ApacheKafka(Path("runs/kafka"), brokers=3) as cluster:  # doctest: +SKIP
    ...     cluster.brokers[0].kill()
    ...     cluster.brokers[0].start()
    """

    def __init__(
        self,
        folder: Path,
        brokers: int = 1,
        properties: Mapping[str, str] | None = None,
        scram: Mapping[str, str] | None = None,
        port: int | None = None,
        version: str = VERSION,
    ) -> None:
        jars = maven.jars(f"kafka-{version}", [artifact.format(version) for artifact in ARTIFACTS])
        self.brokers: Sequence[ApacheBroker] = [
            ApacheBroker(n, folder / f"broker-{n}", jars, port and port + n - 1)
            for n in range(1, brokers + 1)
        ]
        self._properties = {**PROPERTIES, **self._of_cluster(), **(properties or {})}
        self._scram = scram or {}

    @property
    def bootstrap_servers(self) -> str:
        """Addresses of all brokers for clients, separated by commas."""
        return ",".join(broker.address for broker in self.brokers)

    @property
    def internal(self) -> Connection:
        """Connection to the brokers that needs no password."""
        return Connection(",".join(broker.internal for broker in self.brokers))

    def __enter__(self) -> Self:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        options = [
            word
            for name, password in self._scram.items()
            for word in ("--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]")
        ]
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            formatting = [
                pool.submit(broker.format, cluster, self._properties, *options)
                for broker in self.brokers
            ]
            for each in formatting:
                each.result()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()  # quicker than the brokers' handing over to each other

    def start(self) -> None:
        """Start all brokers and wait until they answer; each gets the same ports again.

        Raises
        ------
        BrokerStartError
            A broker does not answer in time, or ends.
        """
        for broker in self.brokers:
            broker.launch()
        try:
            for broker in self.brokers:
                broker.wait()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End all brokers with SIGTERM."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(ApacheBroker.stop, self.brokers))

    def kill(self) -> None:
        """Kill all brokers with SIGKILL."""
        for broker in self.brokers:
            broker.kill()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend all brokers until the ``with`` block ends; connections stay open."""
        with ExitStack() as stack:
            for broker in self.brokers:
                stack.enter_context(broker.paused())
            yield

    def _of_cluster(self) -> dict[str, str]:
        """Return the properties that depend on the number of brokers."""
        voters = ",".join(f"{broker.number}@{broker.controller}" for broker in self.brokers)
        replicas = min(3, len(self.brokers))
        enough = str(max(1, replicas - 1))
        return {
            "controller.quorum.voters": voters,
            "default.replication.factor": str(replicas),
            "min.insync.replicas": enough,
            "offsets.topic.replication.factor": str(replicas),
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": enough,
            "share.coordinator.state.topic.replication.factor": str(replicas),
            "share.coordinator.state.topic.min.isr": enough,
        }
