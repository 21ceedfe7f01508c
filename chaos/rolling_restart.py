"""Restart all brokers of a cluster, one after the other, while documents are learned."""

import time
from collections.abc import Sequence
from itertools import pairwise

from chaos import producer, wire
from chaos.gaps import longest_gap
from chaos.kills import EVERY, once
from chaos.run import Run
from chaos.trial import NO_CLUSTER, Checks, ResultRow, Rig, TrialError, skipped, stopwatch
from harness.apache import ApacheKafka
from newsreel.common import kafka
from newsreel.events.topics import Names

IDLE_SECONDS = 20.0
"""Idle time after which the consumer ends."""

PATIENCE = 300.0
"""Seconds without progress of the consumer after which the trial fails."""

RATE = 50
"""Documents per second."""

STEADY_SECONDS = 20.0
"""Seconds under load before and after the restart."""

MOST_SECONDS = 900
"""Seconds for which there are documents."""

ROUNDS = 2
"""Number of times that each broker is restarted."""


def restarted(rig: Rig) -> list[ResultRow]:
    """Restart each broker twice while a producer publishes and a consumer learns."""
    if (cluster := rig.cluster) is None:
        return skipped("rolling-restart", NO_CLUSTER)
    checks = Checks()
    run = Run(
        rig, f"{rig.name}-rolling-restart", "--checkpoint-every", str(EVERY), idle=IDLE_SECONDS
    )
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
            f" {longest_gap([consumer.log], ended):.0f} s without a commit"
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
