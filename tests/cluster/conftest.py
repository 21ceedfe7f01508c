"""Apache Kafka of the tests' own, whose brokers they may stop: `make test-kafka` runs them."""

import os
from collections.abc import Iterator

import pytest

from harness.apache import VERSION, ApacheKafka

KAFKA_VERSION = os.environ.get("HARNESS_KAFKA_VERSION", VERSION)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """Run Apache Kafka with one broker; a test leaves it running."""
    with ApacheKafka(tmp_path_factory.mktemp("broker"), version=KAFKA_VERSION) as found:
        yield found


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """Run Apache Kafka with three brokers; a test leaves all of them running."""
    folder = tmp_path_factory.mktemp("cluster")
    with ApacheKafka(folder, brokers=3, version=KAFKA_VERSION) as found:
        yield found
