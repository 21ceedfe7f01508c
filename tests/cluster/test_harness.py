"""The cluster of the tests itself."""

import socket

import pytest

from harness.apache import ApacheKafka
from newsreel.common import kafka
from newsreel.common.kafka import Connection


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_broker_that_ended_starts_again(cluster: ApacheKafka, ending: str, topic: str) -> None:
    """A broker that was killed or stopped does not answer, and answers again after its start."""
    connection = Connection(cluster.bootstrap_servers)
    first = cluster.brokers[0]
    host, _, port = first.address.rpartition(":")
    getattr(first, ending)()
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))
    finally:
        first.start()
    with kafka.admin(connection) as admin:
        kafka.ensure(admin, topic, 3)
        (found,) = admin.describe_topics([topic])
        assert {len(each["replica_nodes"]) for each in found["partitions"]} == {3}
        assert len(admin.describe_cluster()["brokers"]) == 3
