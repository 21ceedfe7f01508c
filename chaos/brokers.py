"""Injure brokers and consumers of a cluster of three in the same trial."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos import wire
from chaos.gaps import longest_gap
from chaos.injuries import Injuries
from chaos.kills import EVERY, counted, endure, same, uninterrupted
from chaos.run import Run
from chaos.trial import NO_CLUSTER, Checks, ResultRow, Rig, TrialError, skipped, stopwatch
from newsreel.events.document import Document

LANES = (1, 1, 4)
"""Partitions of the streams that are learned at the same time, by a consumer each."""

OPTIONS = ("--checkpoint-every", str(EVERY))

IDLE_SECONDS = 5.0
"""Idle time after which a consumer ends."""

PATIENCE = 300.0
"""Seconds without progress of a consumer after which the trial fails."""


def injured(rig: Rig, documents: int, kills: int) -> list[ResultRow]:
    """Kill consumers while brokers are injured, until there were enough kills of consumers.

    A stream of one partition must end as an undisturbed run, bit for bit; of a stream of four
    partitions, each document must be predicted once and learned once.
    """
    if (cluster := rig.cluster) is None:
        return skipped("brokers", NO_CLUSTER)
    items = wire.documents(documents, rig.random("brokers"))
    randoms = [rig.random(f"brokers {number}") for number in range(len(LANES))]
    injuries = Injuries(cluster, rig.random("injuries"))
    checks, logs = Checks(), list[Path]()
    points = instants = passes = 0
    with stopwatch() as seconds, ThreadPoolExecutor(len(LANES)) as pool:
        expected = uninterrupted(rig, f"{rig.name}-undisturbed", items, *OPTIONS)
        while points + instants < kills:
            passes += 1
            before = points + instants
            runs = _published(rig, items, passes)
            left = -(-(kills - points - instants) // len(LANES))
            with injuries.inflicted():
                ended = pool.map(
                    endure, runs, randoms, [left] * len(LANES), [PATIENCE] * len(LANES)
                )
                for at_points, at_instants in ended:
                    points, instants = points + at_points, instants + at_instants
            if points + instants == before:
                raise TrialError(
                    "no consumer lived long enough to be killed: give more --documents"
                )
            for run, partitions in zip(runs, LANES, strict=True):
                if partitions == 1:
                    same(checks, run.outcome(), expected)
                else:
                    counted(checks, run.outcome(), items)
                logs += run.folder.glob("consumer-*.log")
        done = (
            f"{documents:,} documents, {passes * len(LANES)} times; consumers killed {points} times"
            f" at points of a commit, {instants} at random; brokers: {injuries.summary}"
        )
        found = f"as expected; at most {longest_gap(logs):.0f} s without a commit"
        return [checks.row("brokers", done, seconds(), found)]


def _published(rig: Rig, items: Sequence[Document], number: int) -> list[Run]:
    """Publish the stream of each lane, and return their runs."""
    runs = []
    for lane, partitions in enumerate(LANES):
        name = f"{rig.name}-brokers-{number}-{lane}"
        run = Run(rig, name, *OPTIONS, idle=IDLE_SECONDS)
        wire.publish(rig.connection, run.topic, items, partitions)
        runs.append(run)
    return runs
