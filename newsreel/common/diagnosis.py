"""Look at a cluster and say what is wrong there: brokers, partitions, coordinators."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from newsreel.common.kafka import BrokerUnreachableError, Connection, admin

PROBE_MS = 2_000
"""Milliseconds in which a broker has to answer to count as present."""

MAX_NAMED = 3
"""Partitions of a topic that one message names."""

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
        yield from _partitions(cluster, need.topics)
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


def _partitions(cluster: _Cluster, topics: Sequence[str]) -> Iterator[str]:
    """Name partitions of topics that have no leader, or too few replicas in sync for a record."""
    for topic in cluster.client.describe_topics(list(topics)) if topics else ():
        name, partitions = topic["name"], topic["partitions"]
        thin = any(len(p["isr_nodes"]) < len(p["replica_nodes"]) for p in partitions)
        needed = _setting(cluster, "topic", name, "min.insync.replicas") if thin else None
        wrong = {p["partition_index"]: _wrong(cluster, p, needed or 1) for p in partitions}
        named = sorted(number for number in wrong if wrong[number])
        for number in named[:MAX_NAMED]:
            yield f"partition {number} of topic {name!r} has {wrong[number]}"
        if len(named) > MAX_NAMED:
            yield f"{len(named) - MAX_NAMED} more partitions of topic {name!r} are in such a state"


def _wrong(cluster: _Cluster, partition: Mapping[str, Any], needed: int) -> str | None:
    """Say what a partition has, if that is not right."""
    replicas, in_sync = partition["replica_nodes"], partition["isr_nodes"]
    if partition["leader_id"] < 0 or partition["leader_id"] in cluster.silent:
        return f"no leader (its replicas are on: broker {', '.join(map(str, replicas))})"
    if len(in_sync) < needed:
        return (
            f"too few replicas in sync to take records ({len(in_sync)}, and"
            f" min.insync.replicas={needed})"
        )
    return None


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
    reachable = next(number for number in cluster.brokers if number not in cluster.silent)
    wanted = _setting(cluster, "broker", str(reachable), setting)
    there = len(cluster.brokers) - len(cluster.silent)
    if wanted is not None and wanted <= there:
        return " yet"
    needed = f"{wanted} brokers ({setting}={wanted})" if wanted else f"as many as {setting} says"
    return (
        f": Kafka's topic {topic} needs {needed}, and {there} can be reached; start more brokers,"
        f" or lower {setting} and transaction.state.log.min.isr of the brokers"
    )


def _setting(cluster: _Cluster, kind: str, resource: str, name: str) -> int | None:
    """Return a number among the settings of a broker or topic; None if the user may not read it."""
    try:
        answer = cluster.client.describe_configs(
            [ConfigResource(kind, resource, {name: None})], config_filter="all"
        )
        return int(answer[kind][resource][name]["value"])
    except (KafkaError, KeyError, TypeError, ValueError):
        return None
