"""Pause or restart the broker in mid-stream: the consumer waits and continues."""

import signal
import time
from collections.abc import Callable, Sequence

from chaos import wire
from chaos.consumer_process import Fault
from chaos.kills import EVERY, same, same_state, uninterrupted
from chaos.run import Run
from chaos.trial import FOREIGN_BROKER, Checks, ResultRow, Rig, TrialError, skipped, stopwatch
from harness.broker import EmbeddedKafka

AWAY_SECONDS = 3.0

IDLE_SECONDS = 12.0
"""Idle time of the consumer; longer than the time it takes to notice a silent broker."""

POINTS = ("checkpoint-written", "transaction-begun", "transaction-sent", "committed")
"""Failpoints before each exchange of a commit with the broker, and after the last."""

LOSES_PREDICTIONS = ("restart", "transaction-sent")
"""Trial and failpoint at which predictions are not compared on the embedded broker: it (noida-db
0.2.3) aborts an open transaction at its end, but confirms its commit after the restart."""


def paused(rig: Rig, documents: int, away: float) -> list[ResultRow]:
    """Pause the broker with SIGSTOP for some seconds."""
    if (broker := rig.broker) is None:
        return skipped("outage", FOREIGN_BROKER)

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
            f"broker paused for {away:.0f} s",
        )
    ]


def restarted(rig: Rig, documents: int) -> list[ResultRow]:
    """End the broker with SIGTERM and start it again with the same data and port."""
    if (broker := rig.broker) is None:
        return skipped("restart", FOREIGN_BROKER)

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
) -> ResultRow:
    """Disturb the broker at failpoints of a commit, each in a run of its own.

    Parameters
    ----------
    points
        Failpoints.
    idle
        Seconds without a document after which the consumer ends.
    disturb
        Function that disturbs the broker. The consumer is stopped at the failpoint until this
        function calls its argument, once the broker is away.
    how
        Description for the table.
    """
    items = wire.documents(documents, rig.random(trial))
    checks = Checks()
    with stopwatch() as seconds:
        options = ("--checkpoint-every", str(EVERY))
        expected = uninterrupted(rig, f"{rig.name}-{trial}-undisturbed", items, *options)
        for point in points:
            run = Run(rig, f"{rig.name}-{trial}-{point}", *options, idle=idle)
            wire.publish(rig.connection, run.topic, items)
            process = run.start(Fault(point, 2, signal.SIGSTOP))
            if not process.wait_for("fault"):
                raise TrialError(f"the consumer ended early: {process.last_line} ({process.log})")
            disturb(process.resume)
            run.finish(process)
            embedded = isinstance(rig.broker, EmbeddedKafka)
            loses = embedded and (trial, point) == LOSES_PREDICTIONS
            check = same_state if loses else same
            check(checks, run.outcome(), expected)
        done = f"{documents:,} documents, {how}, at: {', '.join(points)}"
        return checks.row(trial, done, seconds())
