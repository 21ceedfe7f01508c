"""Kill the consumer at any instant: no document is lost, repeated or changed."""

import time
from collections.abc import Sequence
from random import Random

from chaos import wire
from chaos.consumer_process import POINTS, ConsumerProcess, Fault
from chaos.run import BATCH, Run, RunOutcome
from chaos.trial import Checks, ResultRow, Rig, stopwatch
from newsreel.events.document import Document

EVERY = 2 * BATCH
"""Records between commits."""

MAX_COMMITS = 3
"""Maximum number of commits before a kill at a random instant."""

MAX_SECONDS = 0.4
"""Maximum time from the last of these commits to the kill."""

MAX_PASSES = 3
"""Maximum number of times that a failpoint is passed until the kill at it."""

LEARNERS = {
    "latent": ("--learner", "latent"),
    "analytic": ("--learner", "analytic"),
    "bayes": ("--learner", "bayes"),
    "ngram": ("--learner", "ngram"),
    "finetune": ("--learner", "finetune", "--layers", "1"),
    "all": ("--experts", "latent,analytic,bayes,ngram,finetune"),
}


def one_partition(rig: Rig, documents: int, kills: int) -> list[ResultRow]:
    """Compare a run that is killed many times with an undisturbed run, bit for bit."""
    return [_compare(rig, "one-partition", "blend", (), documents, kills)]


def learner(rig: Rig, name: str, documents: int, kills: int) -> list[ResultRow]:
    """Run the trials of one and of four partitions with one learner and fewer kills."""
    trial, options = f"learner-{name}", LEARNERS[name]
    return [
        _compare(rig, trial, name, options, documents, kills),
        _count(rig, trial, name, options, documents, max(1, kills // 2)),
    ]


def four_partitions(rig: Rig, documents: int, kills: int) -> list[ResultRow]:
    """Check that each document is predicted once and learned once; their order may differ."""
    return [_count(rig, "four-partitions", "blend", (), documents, kills)]


def _count(
    rig: Rig, trial: str, learner: str, options: tuple[str, ...], documents: int, kills: int
) -> ResultRow:
    random = rig.random(f"four {trial} {learner}")
    name = f"{rig.name}-{trial}-{learner}-four"
    with stopwatch() as seconds:
        options = ("--checkpoint-every", str(EVERY), "--format", rig.format, *options)
        run = Run(rig, name, *options)
        items = wire.documents(documents, random)
        records = wire.in_format(items, rig.format)
        wire.publish(rig.connection, run.topic, records, partitions=4)
        points, instants = endure(run, random, kills)
        outcome = run.outcome()
        checks = Checks()
        counted(checks, outcome, items)
        done = f"{learner}, 4 partitions: {_summary(documents, run.started, points, instants)}"
        return checks.row(trial, done, seconds=seconds())


def endure(run: Run, random: Random, kills: int, patience: float = 120) -> tuple[int, int]:
    """Kill a run this often, then let it finish.

    Kills are in turn at a failpoint of a commit, each in turn, and at a random instant.

    Parameters
    ----------
    patience
        Seconds that a process may take until it reaches the point of its kill.

    Returns
    -------
    int, int
        Kills at failpoints and at random instants; fewer than wanted if the stream ends before.

    Raises
    ------
    TrialError
        A process ended by itself with an error; such an end is not a kill.
    """
    points = instants = 0
    while points + instants < kills:
        if points <= instants:
            fault = Fault(POINTS[points % len(POINTS)], random.randint(1, MAX_PASSES))
            if not run.start(fault).wait_killed(patience):
                return points, instants
            points += 1
        else:
            if not kill_at_random(run.start(), random, patience):
                return points, instants
            instants += 1
    run.finish(seconds=max(240, patience))
    return points, instants


def counted(checks: Checks, outcome: RunOutcome, items: Sequence[Document]) -> None:
    """Check that each document was predicted once and learned once."""
    once(checks, outcome, {item.id for item in items})
    checks.equal("learned once", outcome.learned, len(items))
    checks.equal("scored once", outcome.scored, len(items))
    checks.equal("positions", sum(outcome.positions.values()), len(items))
    checks.equal(
        "offsets committed", outcome.committed, {int(p): n for p, n in outcome.positions.items()}
    )


def once(checks: Checks, outcome: RunOutcome, ids: set[str]) -> None:
    """Check that each document has exactly one prediction."""
    predicted = outcome.last_predictions.keys()
    found = f"{len(ids - predicted)} missing, {len(predicted - ids)} unknown"
    checks.equal("each predicted", found, "0 missing, 0 unknown")
    checks.equal("once", outcome.multiplicities, {1: len(ids)})


def same(checks: Checks, found: RunOutcome, expected: RunOutcome) -> None:
    """Check that two runs have the same state and the same predictions."""
    same_state(checks, found, expected)
    once(checks, found, set(expected.last_predictions))
    predictions = found.last_predictions
    differing = sum(
        predictions.get(id_) != prediction for id_, prediction in expected.last_predictions.items()
    )
    checks.equal("same predictions", f"{differing} differ", "0 differ")


def same_state(checks: Checks, found: RunOutcome, expected: RunOutcome) -> None:
    """Check that two runs ended with the same checkpoint and offsets."""
    for name, digest in expected.digests.items():
        checks.equal(f"same {name}", found.digests[name], digest)
    checks.equal("same offsets", found.committed, expected.committed)


def _compare(
    rig: Rig, trial: str, learner: str, options: tuple[str, ...], documents: int, kills: int
) -> ResultRow:
    random = rig.random(f"{trial} {learner}")
    items = wire.in_format(wire.documents(documents, random), rig.format)
    options = ("--checkpoint-every", str(EVERY), "--format", rig.format, *options)
    name = f"{rig.name}-{trial}-{learner}"
    checks = Checks()
    points = instants = started = passes = 0
    with stopwatch() as seconds:
        expected = uninterrupted(rig, f"{name}-undisturbed", items, *options)
        checks.equal("all learned", expected.learned, documents)
        # If the stream ends before enough kills, another consumer starts it from the beginning.
        while points + instants < kills:
            passes += 1
            run = Run(rig, f"{name}-killed-{passes}", *options)
            wire.publish(rig.connection, run.topic, items)
            more = endure(run, random, kills - points - instants)
            points, instants = points + more[0], instants + more[1]
            started += run.started
            same(checks, run.outcome(), expected)
        done = f"{learner}: {_summary(documents, started, points, instants)}"
        return checks.row(trial, done, seconds=seconds())


def prepared(rig: Rig, trial: str, items: list[Document]) -> tuple[Run, RunOutcome]:
    """Return a run with a published stream, and the outcome of an undisturbed run on it."""
    options = ("--checkpoint-every", str(EVERY))
    expected = uninterrupted(rig, f"{rig.name}-{trial}-undisturbed", items, *options)
    run = Run(rig, f"{rig.name}-{trial}", *options)
    wire.publish(rig.connection, run.topic, items)
    return run, expected


def uninterrupted(
    rig: Rig, topic: str, items: Sequence[Document | wire.Raw], *options: str
) -> RunOutcome:
    """Learn a stream in one process, without faults."""
    run = Run(rig, topic, *options)
    wire.publish(rig.connection, topic, items)
    run.finish()
    return run.outcome()


def kill_at_random(process: ConsumerProcess, random: Random, patience: float = 60) -> bool:
    """Kill a process at a random time after some commits; return False if it ended before."""
    commits = random.randint(0, MAX_COMMITS)
    event, times = ("committed", commits) if commits else ("learning", 1)
    if process.wait_for(event, times, patience):
        time.sleep(random.uniform(0, MAX_SECONDS))
    return process.kill()


def _summary(documents: int, started: int, points: int, instants: int) -> str:
    return (
        f"{documents:,} documents, {started} processes, {points + instants} kills:"
        f" {points} at points of a commit, {instants} at random"
    )
