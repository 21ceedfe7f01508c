"""A standby consumer takes over from a leader that is killed or paused."""

import time
from statistics import mean

from chaos import wire
from chaos.consumer_process import ConsumerProcess
from chaos.kills import once, prepared, same
from chaos.run import Run
from chaos.trial import Checks, ResultRow, Rig, TrialError, stopwatch, wait_until
from newsreel.common.errors import USER_ERROR

PATIENCE = 15.0
"""Seconds allowed for a takeover."""

GRACE = 60.0
"""Seconds after which the wait for a takeover is given up."""

FENCED = "another consumer has taken over"


def takeovers(rig: Rig, documents: int, rounds: int) -> list[ResultRow]:
    """Kill the leader in mid-stream several times; a standby takes over each time."""
    random = rig.random("standby")
    items = wire.documents(documents, random)
    checks = Checks()
    with stopwatch() as seconds:
        run, expected = prepared(rig, "standby", items)
        leader, standby = run.start(), None
        delays = []
        for number in range(rounds):
            _wait_for_commit(leader)
            standby = _start_standby(run)
            if number % 2:  # kill a standby, too
                standby.kill()
                standby = _start_standby(run)
            if not leader.kill():
                raise TrialError("the stream ended before the last round; use more --documents")
            delays.append(_wait_for_takeover(standby))
            leader = standby
        run.finish(leader)
        checks.holds(
            f"taken over in {PATIENCE:.0f} s", max(delays) < PATIENCE, f"{max(delays):.1f} s"
        )
        same(checks, run.outcome(), expected)
        done = f"{documents:,} documents, {rounds} leaders and {rounds // 2} standbys killed"
        found = f"took over after {mean(delays):.1f} s, at most {max(delays):.1f} s"
        return [checks.row("standby", done, seconds(), found)]


def zombie(rig: Rig, documents: int) -> list[ResultRow]:
    """Pause the leader until the standby has taken over, then resume the leader."""
    random = rig.random("zombie")
    items = wire.documents(documents, random)
    checks = Checks()
    with stopwatch() as seconds:
        run, expected = prepared(rig, "zombie", items)
        leader = run.start()
        _wait_for_commit(leader)
        standby = _start_standby(run)
        leader.pause()
        delay = _wait_for_takeover(standby)
        leader.resume()
        checks.equal("exit code of the zombie", leader.wait(), USER_ERROR)
        checks.holds("names the reason", FENCED in leader.last_line, leader.last_line)
        run.finish(standby)
        outcome = run.outcome()
        same(checks, outcome, expected)
        once(checks, outcome, {item.id for item in items})
        done = f"{documents:,} documents, the leader paused for {delay:.1f} s"
        return [checks.row("zombie", done, seconds())]


def _wait_for_commit(leader: ConsumerProcess) -> None:
    """Wait until a leader has made another commit."""
    if not leader.wait_for("committed", leader.count("committed") + 1):
        raise TrialError(f"the leader ended early: {leader.last_line} ({leader.log})")


def _start_standby(run: Run) -> ConsumerProcess:
    """Start a consumer and wait until it stands by."""
    standby = run.start()
    if not standby.wait_for("standing by"):
        raise TrialError(f"no standby: {standby.last_line} ({standby.log})")
    time.sleep(0.5)
    return standby


def _wait_for_takeover(standby: ConsumerProcess) -> float:
    return wait_until(lambda: standby.count("learning") > 0, "the standby learns", GRACE)
