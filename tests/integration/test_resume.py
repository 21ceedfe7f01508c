"""A resumed run equals an uninterrupted one."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from helpers import Learn, Publish, Start, documents
from kafka import KafkaConsumer, TopicPartition

COUNT = 64


def checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, Any]]:
    """Return state, tensors and manifest of the newest checkpoint."""
    newest = max(folder.glob("0*"))
    return (
        json.loads((newest / "state.json").read_text()),
        safetensors.torch.load_file(newest / "tensors.safetensors"),
        json.loads((newest / "manifest.json").read_text()),
    )


@pytest.mark.parametrize("stops", [[32], [5, 37]])
def test_resumed_run(
    publish: Publish, learn: Learn, topic: str, tmp_path: Path, stops: list[int]
) -> None:
    """Weights, optimizer, buffer, labels and predictions do not depend on the stops."""
    publish(topic, documents(COUNT))
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    learn(topic, "--stop-after", COUNT, "--checkpoint-dir", whole, "--group", f"{topic}-whole")
    options = ("--checkpoint-dir", stopped, "--group", f"{topic}-stopped")
    for start, stop in zip([0, *stops], [*stops, COUNT], strict=True):
        summary = learn(topic, "--stop-after", stop - start, *options)
        assert summary["documents"] == stop
    expected, expected_tensors, _ = checkpoint(whole)
    state, tensors, manifest = checkpoint(stopped)
    assert manifest["positions"] == {"0": COUNT}
    assert tensors.keys() == expected_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected_tensors[name]), name
    for part in ("learner", "replay", "replay_ratio", "labels", "micro_batch"):
        assert state[part] == expected[part]
    recent = state["evaluator"]["window"]["recent"]
    expected_recent = expected["evaluator"]["window"]["recent"]
    assert [outcome[:2] for outcome in recent] == [outcome[:2] for outcome in expected_recent]
    losses = [outcome[2] for outcome in recent]
    # Matrix products of different shapes differ in the last bits.
    assert losses == pytest.approx([outcome[2] for outcome in expected_recent], rel=1e-4, abs=1e-5)
    if all(stop % 16 == 0 for stop in stops):
        assert recent == expected_recent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_in_mid_stream(
    publish: Publish,
    consumer: Start,
    learn: Learn,
    topic: str,
    tmp_path: Path,
    bootstrap_servers: str,
    number: signal.Signals,
) -> None:
    """A signal ends the run after a commit, with exit code 0, and the next start resumes."""
    publish(topic, documents(800))
    with consumer(topic, "--checkpoint-every", 100_000) as running:
        running.wait_for(lambda: running.progress()["documents"] >= 32)
        assert running.end(number) == 0
        assert "Traceback" not in running.log
    _, _, manifest = checkpoint(tmp_path / "checkpoints")
    done = manifest["documents"]
    assert 32 <= done < 800
    kafka = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=topic)
    committed = kafka.committed(TopicPartition(topic, 0), metadata=True)
    kafka.close()
    assert committed.offset == manifest["positions"]["0"] == done
    assert committed.metadata == manifest["id"]
    summary = learn(topic, "--stop-after", 16)
    assert summary["documents"] == done + 16


def test_signal_in_a_pause(publish: Publish, consumer: Start, topic: str) -> None:
    """SIGTERM ends an idle consumer; the next start learns the documents that waited."""
    publish(topic, documents(20))
    with consumer(topic) as running:
        running.wait_for(lambda: running.progress()["documents"] == 20)
        assert running.end(signal.SIGTERM) == 0
    publish(topic, documents(12, start=20))
    with consumer(topic) as running:
        running.wait_for(lambda: running.progress()["learned"] == 32)
        assert running.progress()["documents"] == 32
