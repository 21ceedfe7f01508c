"""Resume from a checkpoint of an older version through command line, files and Kafka only.

A fixture is a folder of ``records.json``, the records of the topics; ``checkpoint.zip``, a
checkpoint committed in mid-stream; and ``expected.json``, the result of the rest of the stream.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from safetensors.numpy import load_file

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "fixtures" / "checkpoint_0_1"
ANY_CPU = {
    "ATEN_CPU_CAPABILITY": "default",  # torch's own kernels
    "MKL_CBWR": "COMPATIBLE",  # matrix products and linear algebra of torch
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",  # linear algebra of numpy and scipy
    "NPY_DISABLE_CPU_FEATURES": " ".join(
        import_module("numpy._core._multiarray_umath").__cpu_dispatch__
    ),
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "RAYON")},
}
"""Environment under which every x86-64 processor with AVX2 computes the same bits."""
LIBRARIES = ("torch", "transformers", "peft", "numpy", "scipy", "scikit-learn")
"""Libraries of which another version may round differently."""
ALWAYS = (
    *("--model", "encoder", "--checkpoint-dir", "checkpoints"),
    *("--device", "cpu", "--runtime", "torch", "--precision", "fp32"),
    *("--checkpoint-every", "1000000", "--checkpoint-seconds", "1000000"),
    *("--linger", "60", "--http-port", "0"),  # groups of documents depend on the stream alone
)


class Connection(Protocol):
    """The fields of a Kafka connection that older versions have, too."""

    bootstrap_servers: str

    @property
    def options(self) -> dict[str, Any]: ...


def versions() -> dict[str, str]:
    """Return the versions of the numerical libraries, without the name of their build."""
    return {name: metadata.version(name).partition("+")[0] for name in LIBRARIES}


def publish(connection: Connection, topic: str, records: list[list[Any]]) -> None:
    """Create the topics again, so that offsets count from 0, and write records.

    A record is the suffix of its topic, a key, a value, and milliseconds since 1970.
    """
    admin = KafkaAdminClient(**connection.options)
    try:
        while old := [name for name in admin.list_topics() if f"{name}.".startswith(f"{topic}.")]:
            admin.delete_topics(old, raise_errors=False)
            time.sleep(0.2)
        # The broker would delete records with such old timestamps.
        settings = {
            "num_partitions": 1,
            "replication_factor": -1,
            "configs": {"retention.ms": "-1"},
        }
        names = sorted({topic + record[0] for record in records})
        admin.create_topics(dict.fromkeys(names, settings))
        admin.wait_for_topics(names)
    finally:
        admin.close()
    producer = KafkaProducer(**connection.options)
    sent = [
        producer.send(topic + end, key=key.encode(), value=value.encode(), timestamp_ms=moment)
        for end, key, value, moment in records
    ]
    for delivery in sent:
        delivery.get(timeout=30)
    producer.close()


def commit(connection: Connection, manifest: dict[str, Any]) -> None:
    """Commit the positions of a checkpoint, with its id as metadata."""
    consumer = KafkaConsumer(
        **connection.options, group_id=manifest["group"], enable_auto_commit=False
    )
    offsets = {
        TopicPartition(manifest["topic"], int(partition)): OffsetAndMetadata(
            offset, manifest["id"], -1
        )
        for partition, offset in manifest["positions"].items()
    }
    consumer.assign(list(offsets))
    consumer.commit(offsets)
    consumer.close()


def learn(connection: Connection, folder: Path, topic: str, *options: str) -> None:
    """Run a consumer to its end in a folder that holds ``encoder`` and ``checkpoints``."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "consumer", "--topic", topic, "--group", topic),
            *(*ALWAYS, *options),
        ],
        cwd=folder,
        env={
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
            "PYTHONPATH": path,
            **ANY_CPU,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def outcome(connection: Connection, folder: Path, topic: str, since: str) -> dict[str, Any]:
    """Return positions, digests of state and tensors, and predictions of a run since a checkpoint.

    The time of each prediction is left out.
    """
    newest = max((folder / "checkpoints").glob("[0-9]*"))
    assert newest.name != since
    state = json.loads((newest / "state.json").read_text())
    return {
        "positions": json.loads((newest / "manifest.json").read_text())["positions"],
        "state": {
            f"{part}/{name}": _digest(json.dumps(value, sort_keys=True).encode())
            for part, values in state.items()
            for name, value in values.items()
        },
        "tensors": {
            name: _digest(f"{tensor.dtype}{tensor.shape}".encode() + tensor.tobytes())
            for name, tensor in load_file(newest / "tensors.safetensors").items()
        },
        "predictions": [
            {name: part for name, part in value.items() if name != "time"}
            for value in _values(connection, f"{topic}.predictions")
            if value["checkpoint"] == since
        ],
    }


def _values(connection: Connection, topic: str) -> Iterator[dict[str, Any]]:
    consumer = KafkaConsumer(
        **connection.options, isolation_level="read_committed", enable_auto_commit=False
    )
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([partition])[partition]
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=500).values():
            yield from (json.loads(record.value) for record in records)
    consumer.close()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
