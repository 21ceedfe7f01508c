"""A run: a consumer of as many lives as it takes, and what is left when it is done."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos import wire
from chaos.consumer_process import ConsumerProcess, Fault
from chaos.trial import Rig, TrialError
from harness.broker import program_environment
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events import topics

BATCH = 16
"""Documents of a step; streams are multiples of it, as no step shall be cut by time."""

OPTIONS = (
    *("--max-tokens", "16", "--layers", "1", "--precision", "fp32", "--runtime", "torch"),
    *("--latent-tokens", "10", "--learn-tokens", "8", "--device", "cpu"),
    *("--batch-size", str(BATCH), "--replay-ratio", "0.25", "--replay-capacity", "200"),
    *("--linger", "60", "--http-port", "0"),
)
"""A small model, quickly learned, that depends on the stream and not on time."""

IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was published of a document, without what may differ from run to run."""

    id: str
    label: str | None
    probabilities: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has left behind."""

    digests: dict[str, str]
    positions: dict[str, int]
    committed: dict[int, int]
    learned: int
    scored: int
    predictions: list[Prediction]

    @property
    def said(self) -> dict[str, Prediction]:
        """Predictions by document; the last one where there are several."""
        return {prediction.id: prediction for prediction in self.predictions}

    @property
    def times(self) -> Counter[int]:
        """How many documents were predicted once, twice and so on."""
        return Counter(Counter(prediction.id for prediction in self.predictions).values())


class Run:
    """A consumer that is started again and again with the same group, folder and options.

    Parameters
    ----------
    rig
        Where.
    topic
        Its stream, and the name of its group and folder: no two runs share one.
    options
        Beyond `OPTIONS`.
    connection
        How the consumer reaches Kafka, if not as everybody does.
    idle
        Seconds without a document that are the end of the stream.
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
        self.lives = 0
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
        """Begin a life."""
        self.lives += 1
        log = self.folder / f"life-{self.lives:03d}.log"
        return ConsumerProcess(self._argv, self._environment, log, fault)

    def finish(self, life: ConsumerProcess | None = None, seconds: float = 240) -> None:
        """Let a life, or a new one, run to the end of the stream.

        Raises
        ------
        TrialError
            It ended badly.
        """
        life = life or self.start()
        if code := life.wait(seconds):
            raise TrialError(f"exit code {code}: {life.last_line} ({life.log})")

    def newest(self) -> Path:
        """Return the folder of its newest checkpoint."""
        return max(self.checkpoints.glob("[!.]*/manifest.json")).parent

    def outcome(self) -> Outcome:
        """Look at what is left."""
        newest = self.newest()
        manifest = json.loads((newest / "manifest.json").read_text())
        state = json.loads((newest / "state.json").read_text())
        counts = state["progress"]["counts"]
        return Outcome(
            digests=manifest["sha256"],
            positions=manifest["positions"],
            committed=wire.committed(self._connection, self.topic, self.topic),
            learned=counts["learned"],
            scored=state["evaluator"]["whole"]["documents"],
            predictions=[
                _prediction(record.value)
                for record in kafka.read(self._connection, topics.predictions(self.topic))
            ],
        )


def _prediction(value: bytes) -> Prediction:
    said: dict[str, Any] = json.loads(value)
    return Prediction(said["id"], said["label"], tuple(sorted(said["probabilities"].items())))
