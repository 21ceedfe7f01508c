"""Publish malformed records among valid ones: each becomes one dead letter with its reason."""

from collections import Counter
from typing import Any

from chaos import wire
from chaos.kills import kill_at_random, once
from chaos.run import BATCH, Run
from chaos.trial import Checks, ResultRow, Rig, stopwatch
from newsreel.common import kafka
from newsreel.events.document import Document
from newsreel.events.topics import Names

VALID_SHARE = 0.1

COMMITS = 20

KILLS = 3


def malformed(rig: Rig, count: int) -> list[ResultRow]:
    """Feed malformed records to a consumer that is killed a few times; count dead letters."""
    from chaos import record_strategies  # noqa: PLC0415 - hypothesis is installed for developers only

    random = rig.random("malformed")
    checks = Checks()
    with stopwatch() as seconds:
        bad = [*record_strategies.draw(count - 1, rig.seed), record_strategies.too_large()]
        # The first documents use up --max-labels: records with a new label are malformed.
        first = 4 * BATCH
        more = BATCH * max(1, round(count * VALID_SHARE / BATCH))
        valid = wire.documents(first + more, random)
        # A valid record is last: a consumer waits long for more at an incomplete micro-batch.
        mixed: list[Document | record_strategies.BadRecord] = [*valid[first:-1], *bad]
        random.shuffle(mixed)
        items = [*valid[:first], *mixed, valid[-1]]
        run = Run(
            rig,
            f"{rig.name}-malformed",
            *("--learner", "bayes", "--max-labels", str(len(wire.WORDS))),
            *("--checkpoint-every", str(max(BATCH, len(items) // COMMITS))),
        )
        records = [
            item.record if isinstance(item, record_strategies.BadRecord) else item for item in items
        ]
        positions = wire.publish(rig.connection, run.topic, records)
        kills = sum(kill_at_random(run.start(), random) for _ in range(KILLS))
        run.finish()
        outcome = run.outcome()
        letters = list(kafka.read(rig.connection, Names.of(run.topic).dead_letters))
        expected = {
            position: str(item.reason)
            for position, item in zip(positions, items, strict=True)
            if isinstance(item, record_strategies.BadRecord)
        }
        once(checks, outcome, {item.id for item in valid})
        checks.equal(
            "a dead letter each, once", Counter(map(_position, letters)), Counter(list(expected))
        )
        reasons = {_position(letter): _header(letter, "dl_reason") for letter in letters}
        wrong = {
            position: reason
            for position, reason in reasons.items()
            if expected.get(position) != reason
        }
        checks.equal("its reason", wrong, {})
        checks.equal(
            "predictions and dead letters are the records",
            len(outcome.predictions) + len(letters),
            len(records),
        )
        counts = sorted(Counter(reasons.values()).items())
        found = ", ".join(f"{count} {reason}" for reason, count in counts)
        done = f"{count:,} malformed records among {len(valid):,} documents, {kills} kills"
        return [checks.row("malformed", done, seconds(), found)]


def _position(letter: Any) -> tuple[int, int]:
    """Return partition and offset of the record of a dead letter."""
    return int(_header(letter, "dl_partition")), int(_header(letter, "dl_offset"))


def _header(letter: Any, name: str) -> str:
    return str(dict(letter.headers)[name].decode())
