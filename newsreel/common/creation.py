"""Create a topic, and say why where the cluster does not."""

from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import (
    InvalidReplicationFactorError,
    NoError,
    NotControllerError,
    TopicAlreadyExistsError,
    for_code,
)

from newsreel.common.errors import UserError
from newsreel.common.kafka_errors import heals


class TopicCreationError(UserError):
    """The broker refused to create a missing topic."""


class FewBrokersError(UserError):
    """Fewer brokers are there than a new topic has replicas."""

    heals = True


def create(client: KafkaAdminClient, topic: str, count: int, configs: Mapping[str, str]) -> None:
    """Create a topic with as many replicas as the cluster's default.replication.factor says.

    Parameters
    ----------
    client
        Connected admin client.
    topic
        Name of the topic.
    count
        Number of partitions.
    configs
        Settings of the topic; the broker's defaults hold for the others.

    Raises
    ------
    TopicCreationError
        The broker refuses to create the topic.
    FewBrokersError, KafkaError
        The topic can't be created now; another attempt may succeed.
    """
    wanted = {"num_partitions": count, "replication_factor": -1, "configs": configs}
    try:
        answer = client.create_topics({topic: wanted}, raise_errors=False)["topics"][0]
    except RuntimeError as error:  # the client finds no controller
        raise NotControllerError(topic) from error
    kind = for_code(answer["error_code"])
    if kind not in {NoError, TopicAlreadyExistsError}:  # another program may create it meanwhile
        raise _failure(client, topic, answer, configs)
    client.wait_for_topics([topic])


def _failure(
    client: KafkaAdminClient, topic: str, answer: Mapping[str, Any], configs: Mapping[str, str]
) -> Exception:
    """Return the error of a topic that was not created."""
    kind = for_code(answer["error_code"])
    reason = " ".join(str(answer.get("error_message") or kind.__name__).split())
    if kind is InvalidReplicationFactorError:
        brokers = len(client._manager.cluster.brokers())  # noqa: SLF001 - describe_cluster needs 3.7
        return FewBrokersError(
            f"topic {topic!r} can't be created: it needs as many brokers as the cluster's"
            f" default.replication.factor says, and {brokers} can be reached ({reason}); start the"
            " others, or create the topic with Kafka's own tools"
        )
    error: Exception = kind(reason)
    if heals(error):
        return error
    settings = "".join(f" {name}={value}" for name, value in configs.items())
    return TopicCreationError(
        f"the broker does not create topic {topic!r}{settings and ' with' + settings}"
        f" ({reason}); create it with Kafka's own tools, or ask the broker's administrator for the"
        " right to create topics"
    )
