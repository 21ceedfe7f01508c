"""Look at a cluster and say what is wrong there: brokers, partitions, coordinators."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from newsreel.common.kafka import BrokerUnreachableError, Connection, admin

PROBE_MS = 2_000
"""Milliseconds in which a broker has to answer to count as present."""

GROUP, TRANSACTION = 0, 1
"""Kafka's numbers for the kinds of coordinators."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs of a cluster, beside its brokers."""

    topics: Sequence[str] = ()
    """Topics that the request reads or writes."""

    group: str | None = None
    """Consumer group, whose coordinator the request needs."""

    transactional_id: str | None = None
    """Transactional id, whose coordinator the request needs."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The brokers that a cluster names."""

    client: KafkaAdminClient
    brokers: Mapping[int, str]
    """Their addresses, by id."""
    silent: Mapping[int, str] = field(default_factory=dict)
    """Brokers that do not answer: their names for people, by id."""


def diagnose(connection: Connection, need: Need) -> str | None:
    """Return what is wrong with a cluster in one line; None if nothing is found.

    Takes a few seconds while brokers are silent.

    Parameters
    ----------
    connection
        Address of Kafka, and the security options of its clients.
    need
        What has to work.
    """
    try:
        with admin(connection) as client:
            return "; ".join(_problems(connection, client, need)) or None
    except BrokerUnreachableError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - the cluster changes meanwhile; a look must not end a wait
        return None


def _problems(connection: Connection, client: KafkaAdminClient, need: Need) -> Iterator[str]:
    cluster = _look(client)
    silent = ", ".join(cluster.silent.values())
    if cluster.silent and len(cluster.silent) == len(cluster.brokers):
        yield (
            f"{connection.bootstrap_servers!r} answers, but the address that the cluster gives for"
            f" its brokers does not: {silent}; correct advertised.listeners of the brokers, or the"
            " network between"
        )
        return
    if cluster.silent:
        yield f"no answer from {silent}"
    # Each part may fail by itself, as the user lacks a right or the cluster changes meanwhile.
    with suppress(KafkaError, OSError):
        yield from _leaderless(cluster, need.topics)
    with suppress(KafkaError, OSError):
        yield from _coordinator(cluster, GROUP, need.group)
    with suppress(KafkaError, OSError):
        yield from _coordinator(cluster, TRANSACTION, need.transactional_id)


def _look(client: KafkaAdminClient) -> _Cluster:
    """Connect to each broker that the cluster names."""
    manager = client._manager  # noqa: SLF001 - the client has no method for this
    known = {broker.node_id: broker for broker in manager.cluster.brokers()}
    brokers = {number: f"{broker.host}:{broker.port}" for number, broker in known.items()}
    # Kafka 4.0 and newer also name brokers that are no longer part of the cluster.
    with suppress(KafkaError, KeyError):  # KeyError: kafka-python's, before Kafka 3.7
        for broker in client.describe_cluster()["brokers"]:
            brokers[broker["broker_id"]] = f"{broker['host']}:{broker['port']}"

    async def reach(number: int) -> None:
        await manager.wait_for(manager.get_connection(number).init_future, PROBE_MS)

    probes = {number: manager.call_soon(reach, number) for number in brokers if number in known}

    async def outcome(number: int) -> bool:
        try:
            await probes[number]
        except (KafkaError, OSError):
            return False
        return True

    silent = {
        number: f"broker {number} ({address})"
        for number, address in sorted(brokers.items())
        if number not in known or not manager.run(outcome, number)
    }
    return _Cluster(client, brokers, silent)


def _leaderless(cluster: _Cluster, topics: Sequence[str]) -> Iterator[str]:
    """Name the partitions of topics that have no leader."""
    for topic in cluster.client.describe_topics(list(topics)) if topics else ():
        for partition in topic["partitions"]:
            if partition["leader_id"] < 0 or partition["leader_id"] in cluster.silent:
                away = ", ".join(map(str, partition["replica_nodes"]))
                yield (
                    f"partition {partition['partition_index']} of topic {topic['name']!r} has no"
                    f" leader (its replicas are on: broker {away})"
                )


def _coordinator(cluster: _Cluster, kind: int, key: str | None) -> Iterator[str]:
    """Say what is wrong with the coordinator of a group, or of its transactions."""
    if key is None:
        return
    client = cluster.client
    what = "the transactions of this group" if kind == TRANSACTION else "this group"
    try:
        number = client._manager.run(client._find_coordinator_id, key, kind)  # noqa: SLF001
    except CoordinatorNotAvailableError:
        yield f"no broker coordinates {what}{_missing(cluster, kind)}"
        return
    if number in cluster.silent:
        yield f"waiting for {cluster.silent[number]}, which coordinates {what}"


def _missing(cluster: _Cluster, kind: int) -> str:
    """Say how many brokers the topic of a coordinator needs, and how many are there."""
    transactions = kind == TRANSACTION
    topic = "__transaction_state" if transactions else "__consumer_offsets"
    setting = f"{'transaction.state.log' if transactions else 'offsets.topic'}.replication.factor"
    wanted = _setting(cluster, setting)
    there = len(cluster.brokers) - len(cluster.silent)
    if wanted is not None and wanted <= there:
        return " yet"
    needed = f"{wanted} brokers ({setting}={wanted})" if wanted else f"as many as {setting} says"
    return (
        f": Kafka's topic {topic} needs {needed}, and {there} can be reached; start more brokers,"
        f" or lower {setting} and transaction.state.log.min.isr of the brokers"
    )


def _setting(cluster: _Cluster, name: str) -> int | None:
    """Return a number among the brokers' settings; None if the user may not read it."""
    reachable = next(number for number in cluster.brokers if number not in cluster.silent)
    try:
        answer = cluster.client.describe_configs(
            [ConfigResource("broker", str(reachable), {name: None})], config_filter="all"
        )
        return int(answer["broker"][str(reachable)][name]["value"])
    except (KafkaError, KeyError, TypeError, ValueError):
        return None
