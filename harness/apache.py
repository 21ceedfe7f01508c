"""Apache Kafka, fetched with Maven: one broker, or a cluster of them."""

import base64
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from harness import maven
from harness.apache_broker import ApacheBroker
from newsreel.common import cli
from newsreel.common.kafka import Connection

VERSION = "4.1.1"

ARTIFACTS = (
    "org.apache.kafka:kafka_2.13:{}",
    "org.apache.kafka:kafka-tools:{}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.1",
)

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
        jars = fetch(version)
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


def fetch(version: str = VERSION) -> Path:
    """Return the folder of Kafka's jar files, fetched at the first call.

    Raises
    ------
    FetchError
        Java or Maven is missing, or Maven can't fetch Kafka.
    """
    return maven.jars(f"kafka-{version}", [artifact.format(version) for artifact in ARTIFACTS])


if __name__ == "__main__":
    sys.exit(cli.run("harness.apache", lambda _: print(fetch()), []))  # noqa: T201 - the result
