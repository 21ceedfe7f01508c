"""Measure lag, memory and accuracy of the consumer while it gets more than it can learn."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
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
from newsreel.events.document import Document
from newsreel.events.topics import Names

STEP = 32
"""Documents of a learning step; a consumer that ends leaves an incomplete step in the topic."""

IDLE_SECONDS = 120

READY_SECONDS = 120

SAMPLE_SECONDS = 1.0

TENTH = 0.1
"""Share of the time of the load over which memory is averaged, early and late."""

LOG_SECONDS = 30

UNDER_LOAD = "under-load"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sample:
    """Metrics of the consumer at one moment.

    Attributes
    ----------
    seconds
        Seconds since the load began.
    predicted
        Documents predicted so far.
    waiting
        Documents in the topic that are not read yet.
    behind
        Seconds that the oldest of these have waited.
    memory_mb
        Resident memory in MB.
    accuracy
        Accuracy of the last 1,000 predictions.
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
    """Let a consumer learn without load and another under load; return figures as JSON values.

    Parameters
    ----------
    times
        Load as a multiple of the documents per second of the first consumer.
    seconds
        Seconds that the load lasts.
    documents
        Number of documents for the first consumer; the same number is compared under load.
    heldout
        Held-out documents for the evaluation at the end.
    arguments
        Options of ``python -m producer`` that publish the corpus.

    Raises
    ------
    ProgramError
        A document was lost or learned twice.
    """
    documents = max(STEP, documents // STEP * STEP)
    spare = max(1, machine.cores() - 1)  # a core for broker and producer
    with processes.broker() as (broker, folder):
        topic = _topic(broker, heldout)
        first = ("--topic", topic, "--limit", documents, *arguments)
        processes.run("producer", *first, connection=broker)
        sustainable, _ = streaming.consume(
            broker, folder, topic, "in-time", documents, threads=spare
        )
        in_time = _outcome(broker, topic, folder / "in-time.json", documents, documents)
        rate = times * sustainable
        sent = math.ceil(rate * seconds / STEP) * STEP
        log.info("load", sustainable=f"{sustainable:.1f}", rate=f"{rate:.1f}", documents=sent)
        topic = _topic(broker, heldout)
        repeats = math.ceil(sent / documents) + 1
        load = ("--rate", rate, "--limit", sent, "--repeat", repeats, *arguments)
        samples, loaded, caught_up = _overload(broker, topic, folder, sent, spare, load)
        under_load = _outcome(broker, topic, folder / f"{UNDER_LOAD}.json", sent, documents)
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
        "samples": _columns(samples),
    }


def _overload(
    broker: Connection,
    topic: str,
    folder: Path,
    sent: int,
    threads: int,
    load: Sequence[object],
) -> tuple[list[Sample], float, float]:
    """Let a consumer learn all documents of a producer; return what `_watch` returns.

    Parameters
    ----------
    folder
        Folder of the consumer's checkpoints and summary, both named `UNDER_LOAD`.
    sent
        Number of documents that the producer sends.
    threads
        Number of threads of the consumer.
    load
        Options of the producer: rate, number of documents, corpus.
    """
    port = free_port()
    with processes.started(
        "consumer",
        *("--topic", topic, "--group", topic, "--checkpoint-dir", folder / UNDER_LOAD),
        *("--http-port", port, "--stop-after", sent, "--stop-when-idle", IDLE_SECONDS),
        *("--summary", folder / f"{UNDER_LOAD}.json"),
        connection=broker,
        threads=threads,
    ) as consumer:
        _wait_until_ready(consumer, port)
        with processes.started("producer", "--topic", topic, *load, connection=broker) as producer:
            watched = _watch(consumer, producer, port)
        consumer.wait()
    return watched


def _memory(samples: Sequence[Sample], part: float) -> dict[str, float]:
    """Return the median memory over the second and the last part, and the peak, in MB.

    Parameters
    ----------
    part
        Seconds of a part.
    """
    end = samples[-1].seconds
    early = [s.memory_mb for s in samples if part <= s.seconds <= 2 * part]
    late = [s.memory_mb for s in samples if s.seconds >= end - part]
    peak = max(s.memory_mb for s in samples)
    return {"early": median(early or late), "late": median(late), "most": peak}


def _columns(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return a list of values for each field of the samples."""
    return {
        field.name: [getattr(sample, field.name) for sample in samples] for field in fields(Sample)
    }


def _topic(broker: Connection, heldout: Sequence[Document]) -> str:
    """Create a topic and its topic of held-out documents; return the name of the first."""
    topic = processes.new_topic(broker)
    streaming.publish(broker, Names.of(topic).heldout, heldout)
    return topic


def _wait_until_ready(consumer: Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while _get(port, "/readyz") is None:
        if consumer.poll() is not None or time.monotonic() > deadline:
            raise processes.ProgramError(
                f"the consumer was not ready in {READY_SECONDS} s; try again"
            )
        time.sleep(0.1)


def _watch(
    consumer: Popen[bytes], producer: Popen[bytes], port: int
) -> tuple[list[Sample], float, float]:
    """Sample the consumer's metrics until the load has ended and no document waits.

    Returns
    -------
    list of Sample, float, float
        Samples, and the seconds until the producer ended and until no document was waiting.
    """
    started = time.monotonic()
    samples: list[Sample] = []
    loaded: float | None = None
    logged = -math.inf
    while True:
        seconds = time.monotonic() - started
        ended = consumer.poll() is not None
        if loaded is None and producer.poll() is not None:
            loaded = seconds
        if (metrics := _get(port, "/metrics")) is not None:
            samples.append(_sample(metrics, seconds))
            if seconds > logged + LOG_SECONDS:
                logged = seconds
                log.info("under load" if loaded is None else "after load", **asdict(samples[-1]))
        if loaded is not None and (ended or (samples and not samples[-1].waiting)):
            return samples, loaded, seconds
        if ended:
            raise processes.ProgramError("the consumer ended before the load did; try again")
        time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - started - seconds)))


def _get(port: int, path: str) -> str | None:
    """Return the body of an answer with status 200, else None."""
    client = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        body = answer.read().decode()
    except (OSError, HTTPException):  # the consumer is starting, or has ended
        return None
    finally:
        client.close()
    return body if answer.status == HTTPStatus.OK else None


def _sample(text: str, seconds: float) -> Sample:
    series = [one for family in text_string_to_metric_families(text) for one in family.samples]

    def total(name: str, **labels: str) -> float:
        return sum(
            one.value for one in series if one.name == name and labels.items() <= one.labels.items()
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
    """Return the accuracy on the first documents, on all, and on held-out documents.

    Raises
    ------
    ProgramError
        A document was not predicted and learned exactly once.
    """
    figures = json.loads(summary.read_text())
    predictions = [
        json.loads(record.value) for record in kafka.read(broker, Names.of(topic).predictions)
    ]
    ids = {prediction["id"] for prediction in predictions}
    if not sent == len(predictions) == len(ids) == figures["learned_documents"]:
        raise processes.ProgramError(
            f"of {sent} documents {figures['learned_documents']} were learned, and"
            f" {len(predictions)} predictions are of {len(ids)} documents"
        )
    return {
        "first": _accuracy(predictions[:first]),
        "all": _accuracy(predictions),
        "heldout": figures["heldout_accuracy"],
    }


def _accuracy(predictions: Sequence[Mapping[str, Any]]) -> float:
    hits = [bool(prediction["label"] == prediction["truth"]) for prediction in predictions]
    return sum(hits) / len(hits)
