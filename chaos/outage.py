"""The broker stands still, or is started again, in mid-stream: the consumer waits."""

import signal
import time
from collections.abc import Callable, Sequence

from chaos import wire
from chaos.consumer_process import Fault
from chaos.kills import EVERY, same, same_state, uninterrupted
from chaos.run import Run
from chaos.trial import NOT_OURS, Checks, Rig, Row, TrialError, skipped, stopwatch

AWAY_SECONDS = 3.0

IDLE_SECONDS = 12.0
"""Longer than it takes a consumer to see that a broker is silent, which is no end of a stream."""

POINTS = ("checkpoint-written", "transaction-begun", "transaction-sent", "committed")
"""Points of a commit before each of its talks with the broker, and after the last."""

FORGETFUL = ("restart", "transaction-sent")
"""The embedded broker (noida-db 0.2.3) aborts an open transaction when it is ended, and confirms
its commit all the same when it is back. Predictions are not counted there; a cluster keeps them."""


def paused(rig: Rig, documents: int, away: float) -> list[Row]:
    """Stop the broker for a while, as it stands."""
    if (broker := rig.broker) is None:
        return skipped("outage", NOT_OURS)

    def pause(resume: Callable[[], None]) -> None:
        with broker.paused():
            resume()
            time.sleep(away)

    return [
        _disturb(
            rig,
            "outage",
            documents,
            POINTS[2:3],
            IDLE_SECONDS,
            pause,
            f"broker stopped for {away:.0f} s",
        )
    ]


def restarted(rig: Rig, documents: int) -> list[Row]:
    """End the broker with SIGTERM and start it again, on the same data and port."""
    if (broker := rig.broker) is None:
        return skipped("restart", NOT_OURS)

    def restart(resume: Callable[[], None]) -> None:
        broker.stop()
        resume()
        time.sleep(AWAY_SECONDS)
        broker.start()

    done = f"broker ended with SIGTERM, {AWAY_SECONDS:.0f} s away"
    return [_disturb(rig, "restart", documents, POINTS, 2 * AWAY_SECONDS, restart, done)]


def _disturb(
    rig: Rig,
    trial: str,
    documents: int,
    points: Sequence[str],
    idle: float,
    disturb: Callable[[Callable[[], None]], None],
    how: str,
) -> Row:
    """Disturb the broker at points of a commit, each in a run of its own that must not end.

    ``disturb`` is given what lets the consumer go on: it is held at that point until the broker is
    away. ``idle`` is how long it goes without a document before it takes the stream for over.
    """
    items = wire.documents(documents, rig.random(trial))
    checks = Checks()
    with stopwatch() as seconds:
        options = ("--checkpoint-every", str(EVERY))
        expected = uninterrupted(rig, f"{rig.name}-{trial}-whole", items, *options)
        for point in points:
            run = Run(rig, f"{rig.name}-{trial}-{point}", *options, idle=idle)
            wire.publish(rig.connection, run.topic, items)
            life = run.start(Fault(point, 2, signal.SIGSTOP))
            if not life.wait_for("reached"):
                raise TrialError(f"it ended too early: {life.last_line} ({life.log})")
            disturb(life.resume)
            run.finish(life)
            check = same_state if (trial, point) == FORGETFUL else same
            check(checks, run.outcome(), expected)
        done = f"{documents:,} documents, {how}, at: {', '.join(points)}"
        return checks.row(trial, done, seconds())
