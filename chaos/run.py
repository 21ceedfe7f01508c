"""A run: a consumer started as often as needed, and the outcome."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from chaos import wire
from chaos.consumer_process import ConsumerProcess, Fault
from chaos.trial import Rig, TrialError
from harness.broker import program_environment
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.topics import Names

BATCH = 16
"""Documents of a step; a stream is a multiple of these, so that no step is cut by time."""

OPTIONS = (
    *("--max-tokens", "16", "--layers", "1", "--precision", "fp32", "--runtime", "torch"),
    *("--latent-tokens", "10", "--learn-tokens", "8", "--device", "cpu"),
    *("--batch-size", str(BATCH), "--replay-ratio", "0.25", "--replay-capacity", "200"),
    *("--linger", "60", "--http-port", "0"),
)
"""Options of a small model that learns quickly and depends on the stream, not on time."""

IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PublishedPrediction:
    """The published prediction of a document."""

    id: str
    label: str | None
    probabilities: tuple[tuple[str, float], ...]

    time: float = field(compare=False)
    """When the document was predicted, in seconds since 1970; differs between runs."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """Checkpoint, committed offsets and predictions at the end of a run."""

    digests: dict[str, str]
    positions: dict[str, int]
    committed: dict[int, int]
    learned: int
    scored: int
    predictions: list[PublishedPrediction]

    @property
    def last_predictions(self) -> dict[str, PublishedPrediction]:
        """Last prediction of each document, by document id."""
        return {prediction.id: prediction for prediction in self.predictions}

    @property
    def multiplicities(self) -> Counter[int]:
        """Number of documents by the number of their predictions."""
        return Counter(Counter(prediction.id for prediction in self.predictions).values())


class Run:
    """A consumer that is started repeatedly with the same group, folder and options.

    Parameters
    ----------
    rig
        Broker, folder and seed of the trials.
    topic
        Topic of the stream, and name of the group and the folder; unique to the run.
    options
        Command-line options beyond `OPTIONS`.
    connection
        Connection of the consumer to Kafka; by default the connection of the rig.
    idle
        Seconds without a document after which the consumer ends.
    """

    def __init__(
        self,
        rig: Rig,
        topic: str,
        *options: str,
        connection: Connection | None = None,
        idle: float = IDLE_SECONDS,
    ) -> None:
        self.topic = topic
        self.started = 0
        self.folder = rig.folder / topic
        self.checkpoints = self.folder / "checkpoints"
        self._connection = rig.connection
        self._environment = program_environment(connection or rig.connection)
        self._argv = [
            *("--topic", topic, "--group", topic),
            *("--checkpoint-dir", str(self.checkpoints), *OPTIONS),
            *("--stop-when-idle", str(idle), *options),
        ]

    def start(self, fault: Fault | None = None) -> ConsumerProcess:
        """Start a consumer process."""
        self.started += 1
        log = self.folder / f"consumer-{self.started:03d}.log"
        return ConsumerProcess(self._argv, self._environment, log, fault)

    def finish(self, process: ConsumerProcess | None = None, seconds: float = 240) -> None:
        """Wait until a process, by default a new one, has learned the stream.

        Raises
        ------
        TrialError
            The process ended with an error.
        """
        process = process or self.start()
        if code := process.wait(seconds):
            raise TrialError(f"exit code {code}: {process.last_line} ({process.log})")

    def newest(self) -> Path:
        """Return the folder of the newest checkpoint."""
        return max(self.checkpoints.glob("[!.]*/manifest.json")).parent

    def outcome(self) -> RunOutcome:
        """Read checkpoint, committed offsets and predictions."""
        newest = self.newest()
        manifest = json.loads((newest / "manifest.json").read_text())
        state = json.loads((newest / "state.json").read_text())
        counts = state["progress"]["counts"]
        return RunOutcome(
            digests=manifest["sha256"],
            positions=manifest["positions"],
            committed=wire.committed(self._connection, self.topic, self.topic),
            learned=counts["learned"],
            scored=state["evaluator"]["whole"]["documents"],
            predictions=[
                _prediction(record.value)
                for record in kafka.read(self._connection, Names.of(self.topic).predictions)
            ],
        )


def _prediction(value: bytes) -> PublishedPrediction:
    fields: dict[str, Any] = json.loads(value)
    probabilities = tuple(sorted(fields["probabilities"].items()))
    time = datetime.fromisoformat(fields["time"]).timestamp()
    return PublishedPrediction(fields["id"], fields["label"], probabilities, time)
