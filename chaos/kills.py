"""Kill the consumer at any instant: nothing may come of it."""

import time
from random import Random

from chaos import wire
from chaos.consumer_process import POINTS, ConsumerProcess, Fault
from chaos.run import BATCH, Outcome, Run
from chaos.trial import Checks, Rig, Row, stopwatch
from newsreel.events.document import Document

EVERY = 2 * BATCH
"""Records between commits."""

MOST_COMMITS = 3
"""A life that is killed at random has made up to so many commits."""

MOST_SECONDS = 0.4
"""And as long after the last of these, at most."""

LATEST_REACH = 3

LEARNERS = {
    "latent": ("--learner", "latent"),
    "analytic": ("--learner", "analytic"),
    "bayes": ("--learner", "bayes"),
    "ngram": ("--learner", "ngram"),
    "finetune": ("--learner", "finetune", "--layers", "1"),
    "all": ("--experts", "latent,analytic,bayes,ngram,finetune"),
}


def one_partition(rig: Rig, documents: int, kills: int) -> list[Row]:
    """Compare a run that is killed many times with one that never is, bit for bit."""
    return [_compare(rig, "one-partition", "blend", (), documents, kills)]


def learner(rig: Rig, name: str, documents: int, kills: int) -> list[Row]:
    """Do both with one learner, fewer times."""
    trial, options = f"learner-{name}", LEARNERS[name]
    return [
        _compare(rig, trial, name, options, documents, kills),
        _count(rig, trial, name, options, documents, max(1, kills // 2)),
    ]


def four_partitions(rig: Rig, documents: int, kills: int) -> list[Row]:
    """Count: each document is predicted once and learned once, in whatever order they come."""
    return [_count(rig, "four-partitions", "blend", (), documents, kills)]


def _count(
    rig: Rig, trial: str, learner: str, options: tuple[str, ...], documents: int, kills: int
) -> Row:
    random = rig.random(f"four {trial} {learner}")
    name = f"{rig.name}-{trial}-{learner}-four"
    with stopwatch() as seconds:
        run = Run(rig, name, "--checkpoint-every", str(EVERY), *options)
        items = wire.documents(documents, random)
        wire.publish(rig.connection, run.topic, items, partitions=4)
        points, instants = endure(run, random, kills)
        outcome = run.outcome()
        checks = Checks()
        once(checks, outcome, {item.id for item in items})
        checks.equal("learned once", outcome.learned, documents)
        checks.equal("scored once", outcome.scored, documents)
        checks.equal("positions", sum(outcome.positions.values()), documents)
        checks.equal(
            "offsets committed",
            outcome.committed,
            {int(p): n for p, n in outcome.positions.items()},
        )
        done = f"{learner}, 4 partitions: {_told(documents, run.lives, points, instants)}"
        return checks.row(trial, done, seconds=seconds())


def endure(run: Run, random: Random, kills: int) -> tuple[int, int]:
    """Kill a run so often, then let it finish.

    Every other kill is at a point of a commit, each point in turn; the others are at random.

    Returns
    -------
    int, int
        Kills at points of a commit, and at random instants; fewer where the stream is over.
    """
    points = instants = 0
    while points + instants < kills:
        if points <= instants:
            fault = Fault(POINTS[points % len(POINTS)], random.randint(1, LATEST_REACH))
            if run.start(fault).wait() == 0:
                return points, instants
            points += 1
        else:
            if not kill_sometime(run.start(), random):
                return points, instants
            instants += 1
    run.finish()
    return points, instants


def once(checks: Checks, outcome: Outcome, ids: set[str]) -> None:
    """Check that each document has one prediction."""
    missing, unknown = ids - outcome.said.keys(), outcome.said.keys() - ids
    told = f"{len(missing)} missing, {len(unknown)} unknown"
    checks.equal("each predicted", told, "0 missing, 0 unknown")
    checks.equal("once", outcome.times, {1: len(ids)})


def same(checks: Checks, found: Outcome, expected: Outcome) -> None:
    """Check that a run has ended as another one did, and said the same on its way."""
    same_state(checks, found, expected)
    once(checks, found, set(expected.said))
    differing = sum(found.said.get(id_) != said for id_, said in expected.said.items())
    checks.equal("same predictions", f"{differing} differ", "0 differ")


def same_state(checks: Checks, found: Outcome, expected: Outcome) -> None:
    """Check that a run has ended as another one did: checkpoint and offsets."""
    for name, digest in expected.digests.items():
        checks.equal(f"same {name}", found.digests[name], digest)
    checks.equal("same offsets", found.committed, expected.committed)


def _compare(
    rig: Rig, trial: str, learner: str, options: tuple[str, ...], documents: int, kills: int
) -> Row:
    random = rig.random(f"{trial} {learner}")
    items = wire.documents(documents, random)
    options = ("--checkpoint-every", str(EVERY), *options)
    name = f"{rig.name}-{trial}-{learner}"
    checks = Checks()
    points = instants = lives = passes = 0
    with stopwatch() as seconds:
        expected = uninterrupted(rig, f"{name}-whole", items, *options)
        checks.equal("all learned", expected.learned, documents)
        # Where the stream is over before enough kills, another consumer begins with it again.
        while points + instants < kills:
            passes += 1
            run = Run(rig, f"{name}-killed-{passes}", *options)
            wire.publish(rig.connection, run.topic, items)
            more = endure(run, random, kills - points - instants)
            points, instants, lives = points + more[0], instants + more[1], lives + run.lives
            same(checks, run.outcome(), expected)
        done = f"{learner}: {_told(documents, lives, points, instants)}"
        return checks.row(trial, done, seconds=seconds())


def twins(rig: Rig, trial: str, items: list[Document]) -> tuple[Run, Outcome]:
    """Give a run that has a stream before it, and what one has left that learned it in one life."""
    options = ("--checkpoint-every", str(EVERY))
    expected = uninterrupted(rig, f"{rig.name}-{trial}-whole", items, *options)
    run = Run(rig, f"{rig.name}-{trial}", *options)
    wire.publish(rig.connection, run.topic, items)
    return run, expected


def uninterrupted(rig: Rig, topic: str, items: list[Document], *options: str) -> Outcome:
    """Learn a stream in one life."""
    run = Run(rig, topic, *options)
    wire.publish(rig.connection, topic, items)
    run.finish()
    return run.outcome()


def kill_sometime(life: ConsumerProcess, random: Random) -> bool:
    """Kill a life some time after some commits; False if it was over before that."""
    commits = random.randint(0, MOST_COMMITS)
    begun = life.wait_for("committed", commits) if commits else life.wait_for("learning")
    if begun:
        time.sleep(random.uniform(0, MOST_SECONDS))
    return life.kill()


def _told(documents: int, lives: int, points: int, instants: int) -> str:
    return (
        f"{documents:,} documents, {lives} lives, {points + instants} kills:"
        f" {points} at points of a commit, {instants} at random"
    )
