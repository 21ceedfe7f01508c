"""Choose a Kafka to run: the embedded one, Apache Kafka, or a cluster of three brokers."""

from pathlib import Path
from typing import Literal

from harness.apache import VERSION, ApacheKafka
from harness.broker import EmbeddedKafka

Kind = Literal["embedded", "apache", "cluster"]

BROKERS = {"apache": 1, "cluster": 3}
"""Brokers of Apache Kafka by kind."""


def build(
    kind: Kind, folder: Path, port: int | None = None, version: str = VERSION
) -> EmbeddedKafka | ApacheKafka:
    """Return a Kafka that runs in a ``with`` block.

    Parameters
    ----------
    kind
        Embedded Kafka, Apache Kafka with one broker, or with three.
    folder
        Folder of data and logs.
    port
        TCP port of the first broker, which the others follow; by default, free ones.
    version
        Version of Apache Kafka.

    Raises
    ------
    FetchError
        Apache Kafka can't be fetched.
    """
    if kind == "embedded":
        return EmbeddedKafka(folder, port)
    return ApacheKafka(folder, BROKERS[kind], port=port, version=version)
