"""A stream that does not wait: accuracy against the rate at which documents arrive.

Each document is predicted the moment it arrives, by the model as it is then, and scored. It is
learned when its turn comes: above a learner's capacity later and later, and what has not had its
turn when the stream is over was never learned. That is how Ghunaim et al. (2023) evaluate
("Real-time evaluation in online continual learning: a new hope"), who pass over documents that
can't be learned in time; here they wait, as in Kafka.

Time is counted and not waited for: a step takes as long as such steps took when they were timed.
So what else a machine does changes when documents are learned by that one figure only.
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
from benchmarks.scenarios.rows import sharing
from benchmarks.throughput.comparison import interleave
from consumer.replay.ratio import ReplayRatio
from newsreel.events.document import Document

MULTIPLES = (0.5, 1, 2, 4, 8, 16, 32)
"""Rates of arrival, by what newsreel learns with its default settings."""

TARGET_LAG = 64

MUCH_REPLAY = 4

USUAL_REPLAY = 0.5

WARM_UP_STEPS = 10

TIMED_STEPS = 40

ROUNDS = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Row:
    """Newsreel's options; ``title`` is for people."""

    title: str
    replay_ratio: float = USUAL_REPLAY
    options: Mapping[str, Any] = field(default_factory=dict)


ROWS: Mapping[str, Row] = {
    "newsreel": Row("newsreel"),
    "newsreel-lag": Row(f"newsreel, --target-lag {TARGET_LAG}", options={"target_lag": TARGET_LAG}),
    "replay": Row(f"--replay-ratio {MUCH_REPLAY}", MUCH_REPLAY),
    "replay-lag": Row(
        f"--replay-ratio {MUCH_REPLAY} --target-lag {TARGET_LAG}",
        MUCH_REPLAY,
        {"target_lag": TARGET_LAG},
    ),
    "ngram": Row("--learner ngram", options={"learner": "ngram"}),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that it takes to predict and learn a new document, and to replay one."""

    new: float
    replayed: float

    def seconds(self, new: float, replayed: float) -> float:
        """Return how long a step takes."""
        return new * self.new + replayed * self.replayed


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether each prediction at arrival was right, documents learned in time, and replayed."""

    hits: Sequence[bool]
    learned: int
    replayed: int


def measure(
    documents: Sequence[Document], heldout: Sequence[Document], seed: int
) -> dict[str, Any]:
    """Return accuracy by row and rate, ready for JSON."""
    paces = timed(documents, seed)
    capacity = 1 / paces["newsreel"].seconds(1, USUAL_REPLAY)
    rates = [round(multiple * capacity, 1) for multiple in MULTIPLES]
    log.info("rates", rates=rates)
    share = sharing()
    rows = {}
    for name, row in ROWS.items():
        # The n-gram learner reads something else: nothing to share.
        shared = [] if name == "ngram" else [share]
        build = newsreel.build(*shared, replay_ratio=row.replay_ratio, **row.options)
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
                    "heldout": cell.examine(model, heldout).accuracy,
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
) -> Outcome:
    """Let documents arrive, so many a second, and the model keep up as far as it can."""
    hits: list[bool] = []

    def predict_until(arrived: int) -> None:
        for start in range(len(hits), arrived, model.batch_size):
            some = documents[start : min(start + model.batch_size, arrived)]
            hits.extend(prediction.correct for prediction in model.predict_many(some))

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
        # What arrives while this is learned is predicted by what was known before.
        predict_until(min(round(clock * rate), len(documents)))
        model.predict_many(batch)
        model.learn_many(batch, replayed)
        learned += len(batch)
        replays += replayed
    predict_until(len(documents))
    return Outcome(hits, learned, replays)


def timed(documents: Sequence[Document], seed: int) -> dict[str, Pace]:
    """Time the steps of each row, with its replay and without."""

    def seconds(row: Row, ratio: float) -> float:
        loop = newsreel.build_loop(seed=seed, replay_ratio=ratio, **row.options)
        steps = islice(newsreel.steps(loop, documents), WARM_UP_STEPS, WARM_UP_STEPS + TIMED_STEPS)
        took = [(sum(step.seconds.values()), len(step.predictions)) for step in steps]
        return sum(one for one, _ in took) / sum(count for _, count in took)

    # How much is replayed while others wait changes no step's pace.
    alike = {(row.options.get("learner"), row.replay_ratio): row for row in ROWS.values()}
    sides = {
        f"{learner} {ratio}": lambda _, row=row, ratio=ratio: seconds(row, ratio)
        for (learner, most), row in alike.items()
        for ratio in (0.0, most)
    }
    figures = interleave(sides, ROUNDS)
    paces = {}
    for name, row in ROWS.items():
        key = row.options.get("learner")
        new = median(figures[f"{key} 0.0"])
        more = median(figures[f"{key} {row.replay_ratio}"])
        paces[name] = Pace(new, max(0.0, more - new) / row.replay_ratio)
    return paces
