"""Composition root of `python -m consumer inspect`: say what is in a topic, and change nothing."""

from consumer.kafka import patches
from consumer.kafka.sample import read_sample
from consumer.records.findings import Findings
from consumer.settings import InspectSettings
from newsreel.common import kafka


def inspect_topic(settings: InspectSettings) -> None:
    """Read some records, and print what they hold and the options that read them."""
    patches.install()
    with kafka.admin(settings.connection) as admin:
        kafka.require(admin, settings.topic)
    sample = read_sample(settings.connection, settings.topic, settings.sample)
    count = f"{sample.partitions} partition" + "s" * (sample.partitions != 1)
    _print(f"topic      {settings.topic}: {count}, {sample.offsets} offsets")
    if not sample.records:
        _print("           there are no records yet")
        return
    findings = Findings(settings.topic, sample.records, settings.records, settings.command)
    _print(f"sample     {len(sample.records)} records", *findings.lines())


def _print(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201 - the result
