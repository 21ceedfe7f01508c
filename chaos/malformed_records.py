"""Records that are no documents, among good ones: each is one dead letter, and says why."""

from collections import Counter
from typing import Any

from chaos import wire
from chaos.kills import kill_sometime, once
from chaos.run import BATCH, Run
from chaos.trial import Checks, Rig, Row, stopwatch
from newsreel.common import kafka
from newsreel.events import topics
from newsreel.events.document import Document

GOOD_SHARE = 0.1

COMMITS = 20

KILLS = 3


def malformed(rig: Rig, count: int) -> list[Row]:
    """Feed rubbish to a consumer that is killed now and then, and count."""
    from chaos import record_strategies  # noqa: PLC0415 - hypothesis is there for developers only

    random = rig.random("malformed")
    checks = Checks()
    with stopwatch() as seconds:
        bad = [*record_strategies.draw(count - 1, rig.seed), record_strategies.too_large()]
        # Labels that are new after the first documents are too many.
        first = 4 * BATCH
        more = BATCH * max(1, round(count * GOOD_SHARE / BATCH))
        good = wire.documents(first + more, random)
        # A good one comes last: where a stream ends in mid-batch, that waits long for more.
        mixed: list[Document | record_strategies.Bad] = [*good[first:-1], *bad]
        random.shuffle(mixed)
        items = [*good[:first], *mixed, good[-1]]
        run = Run(
            rig,
            f"{rig.name}-malformed",
            *("--learner", "bayes", "--max-labels", str(len(wire.WORDS))),
            *("--checkpoint-every", str(max(BATCH, len(items) // COMMITS))),
        )
        records = [
            item.record if isinstance(item, record_strategies.Bad) else item for item in items
        ]
        places = wire.publish(rig.connection, run.topic, records)
        kills = sum(kill_sometime(run.start(), random) for _ in range(KILLS))
        run.finish()
        outcome = run.outcome()
        letters = list(kafka.read(rig.connection, topics.dead_letters(run.topic)))
        expected = {
            place: str(item.reason)
            for place, item in zip(places, items, strict=True)
            if isinstance(item, record_strategies.Bad)
        }
        once(checks, outcome, {item.id for item in good})
        checks.equal(
            "a dead letter each, once", Counter(map(_place, letters)), Counter(list(expected))
        )
        reasons = {_place(letter): _header(letter, "dl_reason") for letter in letters}
        wrong = {place: why for place, why in reasons.items() if expected.get(place) != why}
        checks.equal("its reason", wrong, {})
        checks.equal(
            "predictions and dead letters are the records",
            len(outcome.predictions) + len(letters),
            len(records),
        )
        told = ", ".join(f"{n} {why}" for why, n in sorted(Counter(reasons.values()).items()))
        done = f"{count:,} malformed records among {len(good):,} documents, {kills} kills"
        return [checks.row("malformed", done, seconds(), told)]


def _place(letter: Any) -> tuple[int, int]:
    """Partition and offset of the record that a letter is of."""
    return int(_header(letter, "dl_partition")), int(_header(letter, "dl_offset"))


def _header(letter: Any, name: str) -> str:
    return str(dict(letter.headers)[name].decode())
