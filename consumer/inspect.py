"""Composition root of `python -m consumer inspect`: say what is in a topic, and change nothing."""

import time

from consumer.kafka import patches
from consumer.kafka.opening import LEADERLESS_SECONDS, require_leaders, warn_of_leaderless
from consumer.kafka.sample import Sample, read_sample
from consumer.kafka.topic_state import without_leader
from consumer.records.findings import Findings
from consumer.settings import InspectSettings
from newsreel.common import kafka
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.retrying import Waiting, retry


def inspect_topic(settings: InspectSettings) -> None:
    """Read some records, and print what they hold and the options that read them."""
    patches.install()
    sample = _sample(settings)
    count = f"{sample.partitions} partition" + "s" * (sample.partitions != 1)
    _print(f"topic      {settings.topic}: {count}, {sample.offsets} offsets")
    if not sample.records:
        _print("           there are no records yet")
        return
    findings = Findings(settings.topic, sample.records, settings.records, settings.command)
    _print(f"sample     {len(sample.records)} records", *findings.lines())


def _sample(settings: InspectSettings) -> Sample:
    """Read some records, trying again for a while where Kafka is not ready."""
    connection, topic = settings.connection, settings.topic
    patient_until = time.monotonic() + LEADERLESS_SECONDS

    def attempt() -> Sample:
        with kafka.admin(connection) as admin:
            kafka.require(admin, topic, connection.user)
            (description,) = admin.describe_topics([topic])
        leaderless = without_leader(description)
        if time.monotonic() < patient_until or len(leaderless) == len(description["partitions"]):
            require_leaders(leaderless)
        warn_of_leaderless(topic, leaderless)
        return read_sample(connection, topic, settings.sample, leaderless)

    need = Need((topic,))
    return retry(attempt, Waiting(f"topic {topic!r}", lambda: diagnose(connection, need)))


def _print(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201 - the result
