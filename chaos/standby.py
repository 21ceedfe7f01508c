"""A second consumer stands by: it takes over from a leader that is killed, or only stopped."""

import time
from statistics import mean

from chaos import wire
from chaos.consumer_process import ConsumerProcess
from chaos.kills import once, same, twins
from chaos.run import Run
from chaos.trial import Checks, Rig, Row, TrialError, stopwatch, wait_until

PATIENCE = 15.0
"""Seconds in which a standby has to take over."""

GRACE = 60.0

FENCED = "another consumer has taken over"

USER_ERROR = 2


def takeovers(rig: Rig, documents: int, rounds: int) -> list[Row]:
    """Kill the leader in mid-stream, again and again; a new standby follows each time."""
    random = rig.random("standby")
    items = wire.documents(documents, random)
    checks = Checks()
    with stopwatch() as seconds:
        run, expected = twins(rig, "standby", items)
        leader, standby = run.start(), None
        took = []
        for number in range(rounds):
            _lead(leader)
            standby = _stand_by(run)
            if number % 2:  # a standby may be killed, too
                standby.kill()
                standby = _stand_by(run)
            if not leader.kill():
                raise TrialError("the stream was over before the last round; use more --documents")
            took.append(_takes_over(standby))
            leader = standby
        run.finish(leader)
        checks.holds(f"taken over in {PATIENCE:.0f} s", max(took) < PATIENCE, f"{max(took):.1f} s")
        same(checks, run.outcome(), expected)
        done = f"{documents:,} documents, {rounds} leaders and {rounds // 2} standbys killed"
        found = f"took over after {mean(took):.1f} s, at most {max(took):.1f} s"
        return [checks.row("standby", done, seconds(), found)]


def zombie(rig: Rig, documents: int) -> list[Row]:
    """Stop the leader until the standby has taken over, then let it go on."""
    random = rig.random("zombie")
    items = wire.documents(documents, random)
    checks = Checks()
    with stopwatch() as seconds:
        run, expected = twins(rig, "zombie", items)
        leader = run.start()
        _lead(leader)
        standby = _stand_by(run)
        leader.pause()
        took = _takes_over(standby)
        leader.resume()
        checks.equal("exit code of the zombie", leader.wait(), USER_ERROR)
        checks.holds("it says why", FENCED in leader.last_line, leader.last_line)
        run.finish(standby)
        outcome = run.outcome()
        same(checks, outcome, expected)
        once(checks, outcome, {item.id for item in items})
        done = f"{documents:,} documents, the leader stopped for {took:.1f} s"
        return [checks.row("zombie", done, seconds())]


def _lead(life: ConsumerProcess) -> None:
    """Wait until a leader has committed something more."""
    if not life.wait_for("committed", life.count("committed") + 1):
        raise TrialError(f"it ended too early: {life.last_line} ({life.log})")


def _stand_by(run: Run) -> ConsumerProcess:
    life = run.start()
    if not life.wait_for("standing by"):
        raise TrialError(f"it does not stand by: {life.last_line} ({life.log})")
    time.sleep(0.5)
    return life


def _takes_over(standby: ConsumerProcess) -> float:
    return wait_until(lambda: standby.count("learning") > 0, "the standby learns", GRACE)
