"""Over Kafka, for a while more comes than can be learned: what becomes of it, and of memory."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from subprocess import Popen
from typing import Any

import structlog
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import machine
from benchmarks.throughput import processes, streaming
from harness.broker import free_port
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events import topics
from newsreel.events.document import Document

STEP = 32
"""Documents of a learning step: a consumer that ends keeps the rest for the next."""

IDLE_SECONDS = 120

READY_SECONDS = 120

SAMPLE_SECONDS = 1.0

TENTH = 0.1
"""Of the time of the load: memory is told of the second such part, and of the last."""

TOLD_SECONDS = 30

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sample:
    """What the consumer's metrics said, so many seconds after the load began.

    ``waiting`` are documents not read yet, ``behind`` the seconds that they wait, ``accuracy`` is
    of the last 1,000 predictions.
    """

    seconds: float
    predicted: int
    waiting: int
    behind: float
    memory_mb: float
    accuracy: float


def measure(
    times: float,
    seconds: float,
    documents: int,
    heldout: Sequence[Document],
    arguments: Sequence[object],
) -> dict[str, Any]:
    """Let a consumer learn in its own time, then another under load; returns figures for JSON.

    Parameters
    ----------
    times
        The load, as a multiple of what the first consumer learned in a second.
    seconds
        How long it lasts.
    documents
        Learned by the first consumer; predictions of so many are compared.
    heldout
        Examined on at the end.
    arguments
        What makes ``python -m producer`` publish the corpus.

    Raises
    ------
    ProgramError
        A document was lost, or came twice.
    """
    documents = max(STEP, documents // STEP * STEP)
    spare = max(1, machine.cores() - 1)  # broker and producer need one, too
    with processes.broker() as (broker, folder):
        topic = _topic(broker, heldout)
        processes.run(
            "producer", "--topic", topic, "--limit", documents, *arguments, connection=broker
        )
        sustainable, _ = streaming.learned(
            broker, folder, topic, "in-time", documents, threads=spare
        )
        in_time = _outcome(broker, topic, folder / "in-time.json", documents, documents)

        rate = times * sustainable
        sent = math.ceil(rate * seconds / STEP) * STEP
        log.info("load", sustainable=f"{sustainable:.1f}", rate=f"{rate:.1f}", documents=sent)
        topic = _topic(broker, heldout)
        port = free_port()
        summary = folder / "under-load.json"
        with processes.beside(
            "consumer",
            *("--topic", topic, "--group", topic, "--checkpoint-dir", folder / "under-load"),
            *("--http-port", port, "--stop-after", sent, "--stop-when-idle", IDLE_SECONDS),
            *("--summary", summary),
            connection=broker,
            threads=spare,
        ) as consumer:
            _wait_until_ready(consumer, port)
            with processes.beside(
                *("producer", "--topic", topic, "--rate", rate, "--limit", sent),
                *("--repeat", math.ceil(sent / documents) + 1, *arguments),
                connection=broker,
            ) as producer:
                samples, loaded, caught_up = _watch(consumer, producer, port)
            consumer.wait()
        under_load = _outcome(broker, topic, summary, sent, documents)

    return {
        "threads": spare,
        "first": documents,
        "sustainable": sustainable,
        "rate": rate,
        "sent": sent,
        "seconds": loaded,
        "waiting": max(s.waiting for s in samples),
        "behind": max(s.behind for s in samples),
        "caught_up": caught_up - loaded,
        "memory_mb": _memory(samples, TENTH * loaded),
        "in_time": in_time,
        "under_load": under_load,
        "samples": [asdict(sample) for sample in samples],
    }


def _memory(samples: Sequence[Sample], part: float) -> dict[str, float]:
    """Return the median of the second part of so many seconds, that of the last, and the most."""
    end = samples[-1].seconds
    early = [s.memory_mb for s in samples if part <= s.seconds <= 2 * part]
    late = [s.memory_mb for s in samples if s.seconds >= end - part]
    most = max(s.memory_mb for s in samples)
    return {"early": median(early or late), "late": median(late), "most": most}


def _topic(broker: Connection, heldout: Sequence[Document]) -> str:
    """Create a topic, and one of held-out documents beside it."""
    topic = processes.new_topic(broker)
    streaming.publish(broker, topics.heldout(topic), heldout)
    return topic


def _wait_until_ready(consumer: Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while _ask(port, "/readyz") is None:
        if consumer.poll() is not None or time.monotonic() > deadline:
            raise processes.ProgramError("the consumer does not become ready; try again")
        time.sleep(0.1)


def _watch(
    consumer: Popen[bytes], producer: Popen[bytes], port: int
) -> tuple[list[Sample], float, float]:
    """Sample until nothing waits; returns the samples, when the producer ended, and when it did."""
    began = time.monotonic()
    samples: list[Sample] = []
    loaded: float | None = None
    told = -math.inf
    while True:
        asked = time.monotonic() - began
        over = consumer.poll() is not None
        if loaded is None and producer.poll() is not None:
            loaded = asked
        if (said := _ask(port, "/metrics")) is not None:
            samples.append(_sample(said, asked))
            if asked > told + TOLD_SECONDS:
                told = asked
                log.info("under load" if loaded is None else "after it", **asdict(samples[-1]))
        if loaded is not None and (over or (samples and not samples[-1].waiting)):
            return samples, loaded, asked
        if over:
            raise processes.ProgramError("the consumer ended before the load did; try again")
        time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - began - asked)))


def _ask(port: int, path: str) -> str | None:
    client = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        body = answer.read().decode()
    except (OSError, HTTPException):  # it is starting, or has ended
        return None
    finally:
        client.close()
    return body if answer.status == HTTPStatus.OK else None


def _sample(text: str, seconds: float) -> Sample:
    said = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(name: str, **labels: str) -> float:
        return sum(
            sample.value
            for sample in said
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    return Sample(
        seconds=round(seconds, 1),
        predicted=int(total("newsreel_documents_total")),
        waiting=int(total("newsreel_consumer_lag_documents")),
        behind=round(total("newsreel_consumer_lag_seconds"), 1),
        memory_mb=round(total("process_resident_memory_bytes") / 1e6, 1),
        accuracy=round(total("newsreel_prequential_accuracy", window="last_1000"), 4),
    )


def _outcome(
    broker: Connection, topic: str, summary: Path, sent: int, first: int
) -> dict[str, float | None]:
    """Return how accurate a consumer was on the first documents, on all, and on held-out ones.

    Raises
    ------
    ProgramError
        Not each document was predicted and learned exactly once.
    """
    told = json.loads(summary.read_text())
    published = [json.loads(it.value) for it in kafka.read(broker, topics.predictions(topic))]
    ids = {one["id"] for one in published}
    if not sent == len(published) == len(ids) == told["learned_documents"]:
        raise processes.ProgramError(
            f"of {sent} documents {told['learned_documents']} were learned, and"
            f" {len(published)} predictions are of {len(ids)} documents"
        )
    return {
        "first": _accuracy(published[:first]),
        "all": _accuracy(published),
        "heldout": told["heldout_accuracy"],
    }


def _accuracy(published: Sequence[Mapping[str, Any]]) -> float:
    hits = [bool(one["label"] == one["truth"]) for one in published]
    return sum(hits) / len(hits)
