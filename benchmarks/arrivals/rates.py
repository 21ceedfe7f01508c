"""Measure accuracy against the rate of arrival of a stream that does not wait.

Each document is predicted by the current model the moment it arrives, and scored. It is learned
after the documents before it: above a learner's capacity the delay grows, and documents still
waiting at the end of the stream are never learned. Ghunaim et al. (2023) evaluate in this way
("Real-time evaluation in online continual learning: a new hope") but skip documents that cannot be
learned in time; here they wait, as in Kafka.

The clock is simulated: a step takes the time that equal steps took when they were timed, so that
other work of the machine changes the results only through these timings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import Any

import structlog

from benchmarks import newsreel
from benchmarks.newsreel import Newsreel
from benchmarks.quality import cell
from benchmarks.throughput.comparison import interleave
from consumer.replay.ratio import ReplayRatio
from newsreel.events.document import Document

MULTIPLES = (0.5, 1, 2, 4, 8, 16, 32)
"""Rates of arrival as multiples of the capacity of newsreel's default settings."""

TARGET_LAG = 64

HIGH_REPLAY = 4

DEFAULT_REPLAY = 0.5

WARM_UP_STEPS = 10

TIMED_STEPS = 40

ROUNDS = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RateRow:
    """Options of newsreel, and the row's title in reports."""

    title: str
    replay_ratio: float = DEFAULT_REPLAY
    options: Mapping[str, Any] = field(default_factory=dict)


ROWS: Mapping[str, RateRow] = {
    "newsreel": RateRow("newsreel"),
    "newsreel-lag": RateRow(
        f"newsreel, --target-lag {TARGET_LAG}", options={"target_lag": TARGET_LAG}
    ),
    "replay": RateRow(f"--replay-ratio {HIGH_REPLAY}", HIGH_REPLAY),
    "replay-lag": RateRow(
        f"--replay-ratio {HIGH_REPLAY} --target-lag {TARGET_LAG}",
        HIGH_REPLAY,
        {"target_lag": TARGET_LAG},
    ),
    "ngram": RateRow("--learner ngram", options={"learner": "ngram"}),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to predict and learn a new document, and seconds to replay a document."""

    new: float
    replayed: float

    def seconds(self, new: float, replayed: float) -> float:
        """Return the seconds of a step with this many new and replayed documents."""
        return new * self.new + replayed * self.replayed


@dataclass(frozen=True, slots=True)
class RateOutcome:
    """Whether each prediction at arrival was right, documents learned, documents replayed."""

    hits: Sequence[bool]
    learned: int
    replayed: int


def measure(
    documents: Sequence[Document], heldout: Sequence[Document], seed: int
) -> dict[str, Any]:
    """Return accuracy by row and rate as JSON values."""
    paces = measure_paces(documents, seed)
    capacity = 1 / paces["newsreel"].seconds(1, DEFAULT_REPLAY)
    rates = [round(multiple * capacity, 1) for multiple in MULTIPLES]
    log.info("rates", rates=rates)
    wrap = newsreel.shared_extractor()
    rows = {}
    for name, row in ROWS.items():
        # The n-gram learner has another extractor.
        wraps = [] if name == "ngram" else [wrap]
        build = newsreel.build(*wraps, replay_ratio=row.replay_ratio, **row.options)
        points = []
        for rate in rates:
            model = build([], seed)
            outcome = stream(model, model.replay_ratio, paces[name], documents, rate)
            points.append(
                {
                    "rate": rate,
                    "at_arrival": sum(outcome.hits) / len(documents),
                    "learned": outcome.learned / len(documents),
                    "replay_ratio": outcome.replayed / max(1, outcome.learned),
                    "heldout": cell.evaluate(model, heldout).accuracy,
                }
            )
            log.info("measured", row=name, **points[-1])
        pace = paces[name]
        rows[name] = {
            "title": row.title,
            "seconds": {"new": pace.new, "replayed": pace.replayed},
            "capacity": 1 / pace.seconds(1, row.replay_ratio),
            "points": points,
        }
    return {
        "documents": len(documents),
        "heldout_documents": len(heldout),
        "capacity": capacity,
        "rows": rows,
    }


def stream(
    model: Newsreel,
    replay_ratio: ReplayRatio,
    pace: Pace,
    documents: Sequence[Document],
    rate: float,
) -> RateOutcome:
    """Predict documents that arrive at a rate per second, and learn them as time permits."""
    hits: list[bool] = []

    def predict_until(arrived: int) -> None:
        for start in range(len(hits), arrived, model.batch_size):
            batch = documents[start : min(start + model.batch_size, arrived)]
            hits.extend(prediction.correct for prediction in model.predict_many(batch))

    clock = 0.0
    learned = replays = 0
    while True:
        batch = documents[learned : learned + model.batch_size]
        clock = max(clock, (learned + len(batch)) / rate)
        waiting = round(clock * rate) - learned - len(batch)
        if learned + len(batch) + waiting >= len(documents):
            break
        replayed = replay_ratio.due(len(batch), waiting)
        clock += pace.seconds(len(batch), replayed)
        # Documents that arrive during the step are predicted by the model from before it.
        predict_until(min(round(clock * rate), len(documents)))
        model.predict_many(batch)
        model.learn_many(batch, replayed)
        learned += len(batch)
        replays += replayed
    predict_until(len(documents))
    return RateOutcome(hits, learned, replays)


def measure_paces(documents: Sequence[Document], seed: int) -> dict[str, Pace]:
    """Time the steps of each row with replay and without."""

    def seconds(row: RateRow, ratio: float) -> float:
        loop = newsreel.build_loop(seed=seed, replay_ratio=ratio, **row.options)
        steps = islice(newsreel.steps(loop, documents), WARM_UP_STEPS, WARM_UP_STEPS + TIMED_STEPS)
        timings = [(sum(step.seconds.values()), len(step.predictions)) for step in steps]
        return sum(spent for spent, _ in timings) / sum(count for _, count in timings)

    # --target-lag does not change the time of a document.
    distinct = {(row.options.get("learner"), row.replay_ratio): row for row in ROWS.values()}
    sides = {
        f"{learner} {ratio}": lambda _, row=row, ratio=ratio: seconds(row, ratio)
        for (learner, with_replay), row in distinct.items()
        for ratio in (0.0, with_replay)
    }
    figures = interleave(sides, ROUNDS)
    paces = {}
    for name, row in ROWS.items():
        learner = row.options.get("learner")
        new = median(figures[f"{learner} 0.0"])
        with_replay = median(figures[f"{learner} {row.replay_ratio}"])
        paces[name] = Pace(new, max(0.0, with_replay - new) / row.replay_ratio)
    return paces
