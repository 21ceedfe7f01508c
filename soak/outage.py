"""The broker stands still, or is started again, in mid-stream: the consumer waits."""

import time
from collections.abc import Callable

from soak import wire
from soak.kills import EVERY, same, uninterrupted
from soak.run import Run
from soak.trial import NOT_OURS, Checks, Rig, Row, TrialError, skipped, stopwatch

AWAY_SECONDS = 3.0
RESTARTS = 2


def paused(rig: Rig, documents: int, away: float) -> list[Row]:
    """Stop the broker for a while, as it stands."""
    if (broker := rig.broker) is None:
        return skipped("outage", NOT_OURS)

    def pause() -> None:
        with broker.paused():
            time.sleep(away)

    return [_disturb(rig, "outage", documents, 1, pause, f"broker stopped for {away:.0f} s")]


def restarted(rig: Rig, documents: int) -> list[Row]:
    """End the broker with SIGTERM and start it again, on the same data and port."""
    if (broker := rig.broker) is None:
        return skipped("restart", NOT_OURS)

    def restart() -> None:
        broker.stop()
        time.sleep(AWAY_SECONDS)
        broker.start()

    done = f"broker ended with SIGTERM, {AWAY_SECONDS:.0f} s away"
    return [_disturb(rig, "restart", documents, RESTARTS, restart, done)]


def _disturb(
    rig: Rig, trial: str, documents: int, times: int, disturb: Callable[[], None], how: str
) -> Row:
    items = wire.documents(documents, rig.random(trial))
    checks = Checks()
    with stopwatch() as seconds:
        options = ("--checkpoint-every", str(EVERY))
        expected = uninterrupted(rig, f"{rig.name}-{trial}-whole", items, *options)
        run = Run(rig, f"{rig.name}-{trial}", *options)
        wire.publish(rig.connection, run.topic, items)
        life = run.start()
        for _ in range(times):
            if not life.wait_for("committed", life.count("committed") + 1):
                raise TrialError(f"it ended too early: {life.last_line} ({life.log})")
            disturb()
        run.finish(life)
        checks.equal("lives", run.lives, 1)
        same(checks, run.outcome(), expected)
        return checks.row(trial, f"{documents:,} documents, {times} x {how}", seconds())
