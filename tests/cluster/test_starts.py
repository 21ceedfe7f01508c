"""Starts and ends of programs on clusters that fail or refuse."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import Consumer, documents, started, write
from kafka import KafkaProducer, TopicPartition
from structlog.testing import capture_logs

from consumer import __main__ as program
from consumer import inspect
from consumer.heldout.topic import HeldOutTopic
from consumer.kafka import patches
from consumer.kafka.client import connect
from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from harness.apache import ApacheKafka
from newsreel.common import cli, kafka, retrying
from newsreel.common.creation import FewBrokersError
from newsreel.common.diagnosis import TRANSACTION
from newsreel.common.kafka import Connection, SignInError
from newsreel.common.retrying import OutageError, Waiting, retry
from newsreel.events.document import encode as encode_document
from newsreel.events.label import Label, encode
from newsreel.events.topics import Names
from producer.__main__ import publish

Starts = Callable[..., AbstractContextManager[Consumer]]
Own = Callable[..., AbstractContextManager[ApacheKafka]]


@pytest.fixture
def start(tmp_path: Path) -> Starts:
    """Start a consumer that learns quickly: ``start(servers, topic, *options)``."""

    def call(servers: str, topic: str, *options: object) -> AbstractContextManager[Consumer]:
        always = ["--learner", "bayes", "--http-port", 0, "--checkpoint-seconds", 1, "--linger", 1]
        own = ["--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"]
        return started(tmp_path / "log", servers, *own, *always, *options)

    return call


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """Run Apache Kafka with one broker and some properties."""

    @contextmanager
    def call(**properties: str) -> Iterator[ApacheKafka]:
        given = {name.replace("_", "."): value for name, value in properties.items()}
        with ApacheKafka(tmp_path / "kafka", properties=given) as found:
            yield found

    return call


def end(consumer: Consumer, seconds: float = 120) -> int:
    return consumer.process.wait(seconds)


def last_line(consumer: Consumer) -> str:
    return consumer.log.splitlines()[-1]


def test_transactions_that_may_last_a_minute(own: Own, start: Starts, topic: str) -> None:
    """A broker that allows shorter transactions than usual gets shorter ones."""
    with own(transaction_max_timeout_ms="60000") as cluster:
        write(Connection(cluster.bootstrap_servers), topic, documents(20))
        with start(cluster.bootstrap_servers, topic, "--stop-when-idle", 1) as consumer:
            assert end(consumer) == 0, consumer.log


def test_transactions_that_are_too_short(own: Own, start: Starts, topic: str) -> None:
    """Transactions that the broker refuses end the run with the setting; at-least-once has none."""
    with own(transaction_max_timeout_ms="10000") as cluster:
        write(Connection(cluster.bootstrap_servers), topic, documents(20))
        with start(cluster.bootstrap_servers, topic, "--stop-when-idle", 1) as consumer:
            assert end(consumer) == 2
            assert "set transaction.max.timeout.ms of the brokers to 30000" in last_line(consumer)
            assert "--delivery at-least-once" in last_line(consumer)
        options = ("--stop-when-idle", 1, "--delivery", "at-least-once")
        with start(cluster.bootstrap_servers, topic, *options) as consumer:
            assert end(consumer) == 0, consumer.log
        written = kafka.read(Connection(cluster.bootstrap_servers), Names.of(topic).predictions)
        assert len(list(written)) == 20


def test_transactions_without_enough_brokers(own: Own, start: Starts, topic: str) -> None:
    """Too few brokers for Kafka's own topic of transactions end a start; the line has the setting.

    A signal ends the wait at once, and as nothing was learned, with exit code 0.
    """
    with own(transaction_state_log_replication_factor="3") as cluster:
        write(Connection(cluster.bootstrap_servers), topic, documents(20))
        with start(cluster.bootstrap_servers, topic) as consumer:
            consumer.wait_for(lambda: "waiting for Kafka" in consumer.log)
            assert "transaction.state.log.replication.factor=3" in consumer.log
            sent = time.monotonic()
            assert consumer.end(signal.SIGTERM) == 0, consumer.log
            assert time.monotonic() - sent < 6
        with start(cluster.bootstrap_servers, topic) as consumer:
            assert end(consumer) == 2
            assert "transaction.state.log.replication.factor=3), and 1 can be" in last_line(
                consumer
            )
            assert "Traceback" not in consumer.log
            assert consumer.log.count("waiting for Kafka") <= 2
        options = ("--stop-when-idle", 1, "--delivery", "at-least-once")
        with start(cluster.bootstrap_servers, topic, *options) as consumer:
            assert end(consumer) == 0, consumer.log


def test_advertised_address_that_no_one_reaches(tmp_path: Path, topic: str) -> None:
    """The error has the advertised address and the setting."""
    cluster = ApacheKafka(tmp_path / "kafka")
    internal = cluster.brokers[0].internal
    cluster._properties["advertised.listeners"] = f"CLIENT://127.0.0.1:1,INTERNAL://{internal}"
    with cluster, pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrying, "START_SECONDS", 3.0)
        patch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers)
        with pytest.raises(OutageError) as failed:
            program.inspect(["--topic", topic])
    assert f"'{cluster.bootstrap_servers}' answers" in str(failed.value)
    assert "broker 1 (127.0.0.1:1)" in str(failed.value)
    assert "advertised.listeners" in str(failed.value)


def test_topic_with_more_replicas_than_brokers(own: Own, topic: str) -> None:
    """A topic is not created by too few brokers; the error says how many there are."""
    with own(default_replication_factor="3") as cluster:
        connection = Connection(cluster.bootstrap_servers)

        def ensure() -> None:
            with kafka.admin(connection) as admin:
                kafka.ensure(admin, topic, 1)

        with pytest.raises(FewBrokersError, match=r"default.replication.factor says, and 1 can be"):
            retry(ensure, Waiting("the topics"), seconds=2)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """Run a broker with users, of which alice has no rights."""
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    properties = {
        "listener.security.protocol.map": (
            "CLIENT:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.client.plain.sasl.jaas.config": f'{plain} user_alice="secret";',
        "listener.name.client.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    folder = tmp_path_factory.mktemp("secured")
    with ApacheKafka(folder, properties=properties, scram={"alice": "secret"}) as found:
        yield found


def as_alice(cluster: ApacheKafka, mechanism: str, password: str) -> Connection:
    security = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "alice",
        "sasl_plain_password": password,
    }
    return Connection(cluster.bootstrap_servers, security)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_wrong_password(secured: ApacheKafka, mechanism: str) -> None:
    """The error says that signing in failed, and has the user and the mechanism."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "CONNECT_TIMEOUT_MS", 3000)
        with (
            pytest.raises(SignInError, match=f"user 'alice' with {mechanism}") as refused,
            kafka.admin(as_alice(secured, mechanism, "guess")),
        ):
            pass
    assert "guess" not in str(refused.value)


def test_topic_that_the_user_may_not_see(
    secured: ApacheKafka, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A topic that the user may not describe is missing or hidden; the error has the user."""
    write(secured.internal, topic, documents(3))
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": secured.bootstrap_servers,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
        "KAFKA_SASL_USERNAME": "alice",
        "KAFKA_SASL_PASSWORD": "secret",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        assert cli.run("consumer", program.inspect, ["--topic", topic]) == 2
    assert (
        f"topic {topic!r} does not exist, or user 'alice' may not see it" in capsys.readouterr().err
    )


def test_starts_in_the_seconds_after_a_broker_died(
    cluster: ApacheKafka, start: Starts, topic: str
) -> None:
    """Each start succeeds while the cluster still names a broker that was killed."""
    write(Connection(cluster.bootstrap_servers), topic, documents(30))
    for broker in cluster.brokers:
        broker.kill()
        try:
            options = ("--stop-when-idle", 1)
            with start(cluster.bootstrap_servers, topic, *options) as consumer:
                assert end(consumer) == 0, consumer.log
        finally:
            broker.start()


def test_producer_in_the_seconds_after_a_broker_died(
    cluster: ApacheKafka, topic: str, tmp_path: Path
) -> None:
    """The producer creates its topic and delivers while the cluster still names a dead broker."""
    corpus = tmp_path / "own.csv"
    corpus.write_text("text,label\n" + "".join(f"text {n},x\n" for n in range(50)))
    options = ["--corpus", str(corpus), "--topic", topic, "--partitions", "3"]
    servers = ["--bootstrap-servers", cluster.bootstrap_servers]
    cluster.brokers[1].kill()
    try:
        assert cli.run("producer", publish, [*options, *servers]) == 0
    finally:
        cluster.brokers[1].start()
    assert len(list(kafka.read(Connection(cluster.bootstrap_servers), topic))) == 50


def test_broker_that_dies_when_all_is_committed(
    cluster: ApacheKafka, start: Starts, topic: str
) -> None:
    """A run that has committed everything ends well, whatever becomes of a broker then."""
    write(Connection(cluster.bootstrap_servers), topic, documents(30))
    write(Connection(cluster.bootstrap_servers), Names.of(topic).heldout, documents(30))
    with start(cluster.bootstrap_servers, topic, "--stop-after", 30) as consumer:
        consumer.wait_for(lambda: "committed" in consumer.log)
        cluster.brokers[1].kill()
        try:
            assert end(consumer) == 0, consumer.log
        finally:
            cluster.brokers[1].start()


@pytest.fixture
def alone(cluster: ApacheKafka, topic: str) -> str:
    """Create a topic with a partition on each broker, without other replicas."""
    create(cluster.bootstrap_servers, topic, {number: [number + 1] for number in range(3)})
    write(Connection(cluster.bootstrap_servers), topic, documents(30), partitions=3)
    return topic


def create(servers: str, topic: str, brokers: Mapping[int, list[int]]) -> None:
    """Create a topic with its replicas on some brokers, by partition."""
    with kafka.admin(Connection(servers)) as admin:
        admin.create_topics({topic: {"assignments": brokers}})
        admin.wait_for_topics([topic])


@contextmanager
def killed(cluster: ApacheKafka, number: int) -> Iterator[None]:
    """Kill a broker until the ``with`` block ends."""
    cluster.brokers[number - 1].kill()
    try:
        yield
    finally:
        cluster.brokers[number - 1].start()


def test_start_with_a_partition_without_a_leader(
    cluster: ApacheKafka, start: Starts, alone: str
) -> None:
    """A start reads the partitions that have a leader, and says which one has none."""
    cluster.brokers[2].kill()
    try:
        with start(cluster.bootstrap_servers, alone, "--stop-after", 20) as consumer:
            assert end(consumer) == 0, consumer.log
            assert "partition 2 of topic" in consumer.log
            assert "has no leader" in consumer.log
    finally:
        cluster.brokers[2].start()
    with start(cluster.bootstrap_servers, alone, "--stop-when-idle", 2) as consumer:
        assert end(consumer) == 0, consumer.log
    predictions = kafka.read(Connection(cluster.bootstrap_servers), Names.of(alone).predictions)
    assert len({record.key for record in predictions}) == 30


@pytest.mark.parametrize("numbers", [[2], [0, 1, 2]])
def test_inspect_with_partitions_without_a_leader(
    cluster: ApacheKafka,
    topic: str,
    numbers: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The other partitions are read; without one, the error has partitions and broker."""
    create(cluster.bootstrap_servers, topic, {n: [3 if n in numbers else 1] for n in range(3)})
    write(Connection(cluster.bootstrap_servers), topic, documents(30), partitions=3)
    monkeypatch.setattr(retrying, "START_SECONDS", 12.0)
    monkeypatch.setattr(inspect, "LEADERLESS_SECONDS", 6.0)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers)
    with killed(cluster, 3):
        code = cli.run("consumer inspect", program.inspect, ["--topic", topic])
    printed = capsys.readouterr()
    if len(numbers) < 3:
        assert code == 0
        assert "sample     20 records" in printed.out
    else:
        assert code == 2
        assert f"partition 2 of topic {topic!r} has no leader" in printed.err


@pytest.mark.parametrize(
    ("brokers", "has"), [([3], "no leader"), ([1, 3], "too few replicas in sync")]
)
def test_commit_to_a_topic_that_takes_no_records(
    cluster: ApacheKafka, start: Starts, topic: str, brokers: list[int], has: str
) -> None:
    """The log names the topic of predictions; when the topic takes records, all is committed."""
    connection = Connection(cluster.bootstrap_servers)
    predictions = Names.of(topic).predictions
    create(cluster.bootstrap_servers, topic, {0: [1]})
    create(cluster.bootstrap_servers, predictions, {0: brokers})
    write(connection, topic, documents(20))
    with start(cluster.bootstrap_servers, topic, "--stop-when-idle", 2) as consumer:
        consumer.wait_for(lambda: "committed" in consumer.log)
        with killed(cluster, 3):
            retry(lambda: write(connection, topic, documents(20, start=20)), Waiting("writing"))
            named = f"partition 0 of topic {predictions!r} has {has}"
            consumer.wait_for(lambda: named in consumer.log, 90)
        assert end(consumer) == 0, consumer.log
    assert len({record.key for record in kafka.read(connection, predictions)}) == 40


def test_labels_without_a_leader(cluster: ApacheKafka, start: Starts, topic: str) -> None:
    """A start waits for late labels without ending, and joins them when they can be read."""
    connection = Connection(cluster.bootstrap_servers)
    labels = Names.of(topic).labels
    create(cluster.bootstrap_servers, topic, {0: [1]})
    create(cluster.bootstrap_servers, labels, {0: [3]})
    write(connection, topic, [replace(document, label=None) for document in documents(40)])
    producer = KafkaProducer(**connection.options)
    for document in documents(40):
        record = encode(Label(document.id, document.label), "tests")
        producer.send(labels, value=record.value, key=record.key, headers=record.headers)
    producer.close()
    with killed(cluster, 3):
        consumer = start(cluster.bootstrap_servers, topic, "--late-labels", "--stop-when-idle", 2)
        running = consumer.__enter__()
        named = f"partition 0 of topic {labels!r} has no leader"
        running.wait_for(lambda: named in running.log, 120)
    try:
        assert end(running) == 0, running.log
        assert "learned_documents=40" in running.log
    finally:
        consumer.__exit__(None, None, None)


def test_held_out_documents_of_transactions(broker: ApacheKafka, topic: str) -> None:
    """Documents that were aborted are not held out; an open transaction is said."""
    servers, connection = broker.bootstrap_servers, Connection(broker.bootstrap_servers)
    write(connection, topic, documents(5))
    for finish in (KafkaProducer.abort_transaction, KafkaProducer.flush):
        producer = KafkaProducer(bootstrap_servers=servers, transactional_id=topic)
        producer.init_transactions()
        producer.begin_transaction()
        for document in documents(3, start=10):
            producer.send(topic, value=encode_document(document, "tests").value)
        finish(producer)
    write(connection, topic, documents(2, start=20))
    held_out = HeldOutTopic(connection, topic, RecordReader.build(RecordConfig()))
    with capture_logs() as logs:
        assert len(held_out.read()) == 5
    assert "an open transaction holds back held-out records" in logs[0]["event"]
    producer.abort_transaction()
    assert len(held_out.read()) == 7
    producer.close()


def test_topics_that_are_read_are_not_created(own: Own, topic: str) -> None:
    """A client that asks for a missing topic does not create the topic, where brokers would."""
    patches.install()
    with own(auto_create_topics_enable="true") as cluster:
        connection = Connection(cluster.bootstrap_servers)
        consumer = connect(connection.options)
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        for _ in range(20):
            consumer.poll(timeout_ms=100)
        consumer.close()
        with kafka.admin(connection) as admin:
            assert topic not in admin.list_topics()


def test_a_coordinator_that_hangs(cluster: ApacheKafka, start: Starts, topic: str) -> None:
    """The log says which broker a start waits for, and what this broker does for the group."""
    connection = Connection(cluster.bootstrap_servers)
    write(connection, topic, documents(20))
    with start(cluster.bootstrap_servers, topic, "--stop-when-idle", 1) as consumer:
        assert end(consumer) == 0, consumer.log
    with kafka.admin(connection) as admin:
        number = admin._manager.run(
            admin._find_coordinator_id, f"newsreel/{topic}/{topic}", TRANSACTION
        )
    broker = cluster.brokers[number - 1]
    with start(cluster.bootstrap_servers, topic, "--stop-when-idle", 1) as consumer:
        consumer.wait_for(lambda: "loading" in consumer.log)
        with broker.paused():
            consumer.wait_for(lambda: "waiting for Kafka" in consumer.log, 90)
        assert f"broker {number} ({broker.address})" in consumer.log
        assert "unknown reasons" not in consumer.log
        assert end(consumer) == 0, consumer.log
