"""Injure brokers and consumers of a cluster of three in the same trial, and restart all brokers."""

import math
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from chaos import producer, wire
from chaos.injuries import Injuries
from chaos.kills import EVERY, endure, once, same, uninterrupted
from chaos.run import Run
from chaos.trial import Checks, ResultRow, Rig, TrialError, skipped, stopwatch
from harness.apache import ApacheKafka
from newsreel.common import kafka
from newsreel.events.topics import Names

NO_CLUSTER = "the trial injures the brokers of a cluster; start it with --kafka cluster"

IDLE_SECONDS = 5.0
"""Idle time after which a consumer ends."""

PATIENCE = 300.0
"""Seconds without progress of a consumer after which the trial fails."""

RATE = 50
"""Documents per second during the rolling restart."""

STEADY_SECONDS = 20.0
"""Seconds under load before and after the rolling restart."""

MOST_SECONDS = 900
"""Seconds for which there are documents."""

ROUNDS = 2
"""Number of times that each broker is restarted."""


def injured(rig: Rig, documents: int, kills: int) -> list[ResultRow]:
    """Kill consumers while brokers are injured; compare with an undisturbed run, bit for bit."""
    if (cluster := rig.cluster) is None:
        return skipped("brokers", NO_CLUSTER)
    random = rig.random("brokers")
    items = wire.documents(documents, random)
    injuries = Injuries(cluster, rig.random("injuries"))
    options = ("--checkpoint-every", str(EVERY))
    checks, logs = Checks(), list[Path]()
    points = instants = passes = 0
    with stopwatch() as seconds:
        expected = uninterrupted(rig, f"{rig.name}-brokers-undisturbed", items, *options)
        while points + instants < kills:
            passes += 1
            run = Run(rig, f"{rig.name}-brokers-{passes}", *options, idle=IDLE_SECONDS)
            wire.publish(rig.connection, run.topic, items)
            with injuries.inflicted():
                more = endure(run, random, kills - points - instants, PATIENCE)
            points, instants = points + more[0], instants + more[1]
            same(checks, run.outcome(), expected)
            logs += run.folder.glob("consumer-*.log")
        done = (
            f"{documents:,} documents, {passes} times; consumers killed {points} times at points of"
            f" a commit, {instants} at random; brokers: {injuries.summary}"
        )
        found = f"as expected; at most {_longest_gap(logs):.0f} s without a commit"
        return [checks.row("brokers", done, seconds(), found)]


def rolling_restart(rig: Rig) -> list[ResultRow]:
    """Restart each broker twice while a producer publishes and a consumer learns."""
    if (cluster := rig.cluster) is None:
        return skipped("rolling-restart", NO_CLUSTER)
    checks = Checks()
    run = Run(rig, f"{rig.name}-rolling-restart", "--checkpoint-every", str(EVERY), idle=20.0)
    items = wire.documents(RATE * MOST_SECONDS, rig.random("rolling-restart"))
    with stopwatch() as seconds:
        with kafka.admin(rig.connection) as admin:
            kafka.ensure(admin, run.topic, 1)
        with producer.running(rig, run, items, RATE):
            consumer = run.start()
            if not consumer.wait_for("committed", seconds=PATIENCE):
                raise TrialError(f"the consumer ended early: {consumer.last_line}")
            began = time.time()
            time.sleep(STEADY_SECONDS)
            restarting = time.time()
            _restart_in_turn(cluster)
            restarted = time.time()
            time.sleep(STEADY_SECONDS)
            ended = time.time()
        run.finish(consumer, PATIENCE)
        outcome = run.outcome()
        published = [record.key.decode() for record in kafka.read(rig.connection, run.topic)]
        once(checks, outcome, set(published))
        checks.equal("each published once", len(published), len(set(published)))
        checks.equal("learned once", outcome.learned, len(published))
        letters = list(kafka.read(rig.connection, Names.of(run.topic).dead_letters))
        checks.equal("dead letters", len(letters), 0)
        checks.equal("processes", run.started, 1)
        times = [prediction.time for prediction in outcome.predictions]
        speeds = _speeds(times, [began, restarting, restarted, ended])
        found = (
            "documents per second before, during and after:"
            f" {', '.join(f'{speed:.0f}' for speed in speeds)}; at most"
            f" {_longest_gap([consumer.log], ended):.0f} s without a commit"
        )
        done = (
            f"{len(published):,} documents at {RATE}/s; each of three brokers restarted {ROUNDS} x"
        )
        return [checks.row("rolling-restart", done, seconds(), found)]


def _restart_in_turn(cluster: ApacheKafka) -> None:
    for broker in [*cluster.brokers] * ROUNDS:
        broker.stop()
        broker.start()


def _speeds(times: Sequence[float], limits: Sequence[float]) -> list[float]:
    """Return the number of times per second between each two limits."""
    return [
        sum(begin <= moment < end for moment in times) / (end - begin)
        for begin, end in pairwise(limits)
    ]


def _longest_gap(logs: Iterable[Path], ended: float = math.inf) -> float:
    """Return the longest time between two commits of a run, in seconds, over several starts.

    Parameters
    ----------
    logs
        Logs of consumers; those of one run are in one folder.
    ended
        Time after which commits do not count, in seconds since 1970.
    """
    by_run: dict[Path, list[float]] = {}
    for log in sorted(logs):
        for line in log.read_text(errors="replace").splitlines():
            if "] committed" in line:
                moment = datetime.fromisoformat(line.split()[0]).timestamp()
                by_run.setdefault(log.parent, []).append(moment)
    return max(
        after - before
        for moments in by_run.values()
        for before, after in pairwise(moments)
        if after <= ended
    )
