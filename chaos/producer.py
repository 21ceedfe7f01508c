"""Kill the producer in mid-stream and let it resume."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos import wire
from chaos.kills import EVERY
from chaos.run import Run
from chaos.trial import Checks, ResultRow, Rig, TrialError, stopwatch, wait_until
from harness.broker import program_environment
from newsreel.common import kafka
from newsreel.events.document import Document

RATE = 200
"""Documents per second: slow enough for a kill in mid-stream."""

KILLS = 3

ROOT = Path(__file__).parent.parent


def killed(rig: Rig, documents: int) -> list[ResultRow]:
    """Kill producer and consumer in turns; compare the topic's records with the predictions."""
    items = wire.documents(documents, rig.random("producer"))
    checks = Checks()
    run = Run(rig, f"{rig.name}-producer", "--checkpoint-every", str(EVERY))
    corpus = _write(run, items)
    with stopwatch() as seconds:
        with kafka.admin(rig.connection) as admin:
            kafka.ensure(admin, run.topic, 1)
        for number in range(1, KILLS + 1):
            _kill_at(rig, run, corpus, number * documents // (KILLS + 1))
            consumer = run.start()
            consumer.wait_for("committed")
            consumer.kill()
        if code := _produce(rig, run, corpus).wait(120):
            raise TrialError(f"the producer ended with exit code {code}; see {run.folder}")
        run.finish()
        outcome = run.outcome()
        published = [record.key.decode() for record in kafka.read(rig.connection, run.topic)]
        counts = Counter(published)
        checks.equal("each published", counts.keys(), {item.id for item in items})
        checks.equal(
            "one prediction of each record",
            Counter(prediction.id for prediction in outcome.predictions),
            counts,
        )
        checks.equal("all records learned", outcome.learned, len(published))
        done = f"{documents:,} documents, {KILLS} kills each of producer and consumer"
        found = f"{len(published) - len(items)} documents are on the topic twice"
        return [checks.row("producer", done, seconds(), found)]


@contextmanager
def running(rig: Rig, run: Run, items: Sequence[Document], rate: float) -> Iterator[None]:
    """Publish documents at a rate until the ``with`` block ends, or all are published.

    Raises
    ------
    TrialError
        The producer ended with an error.
    """
    process = _produce(rig, run, _write(run, items), "--rate", str(rate))
    try:
        yield
        process.terminate()
        if code := process.wait(120):
            raise TrialError(f"the producer ended with exit code {code}; see {run.folder}")
    finally:
        process.kill()


def _write(run: Run, items: Sequence[Document]) -> Path:
    """Write documents to a file; return its path."""
    run.folder.mkdir(parents=True, exist_ok=True)
    corpus = run.folder / "corpus.jsonl"
    with corpus.open("w") as file:
        for item in items:
            file.write(json.dumps({"id": item.id, "text": item.text, "label": item.label}) + "\n")
    return corpus


def _kill_at(rig: Rig, run: Run, corpus: Path, count: int) -> None:
    """Run the producer until the topic has this many records, then kill the producer."""
    process = _produce(rig, run, corpus, "--rate", str(RATE))
    try:
        with kafka.admin(rig.connection) as admin:
            wait_until(
                lambda: kafka.count(admin, run.topic) >= count or process.poll() is not None,
                "the producer has published",
                60,
            )
    finally:
        process.send_signal(signal.SIGKILL)
        code = process.wait()
    if code != -signal.SIGKILL:
        raise TrialError(f"the producer ended with exit code {code}; see {run.folder}")


def _produce(rig: Rig, run: Run, corpus: Path, *options: str) -> subprocess.Popen[bytes]:
    with (run.folder / "producer.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - a program of this project
            [
                *(sys.executable, "-m", "producer", "--corpus", str(corpus), "--id-column", "id"),
                *("--topic", run.topic, "--scenario", "as-is", "--resume", *options),
            ],
            cwd=ROOT,
            env=program_environment(rig.connection),
            stdout=log,
            stderr=log,
        )
