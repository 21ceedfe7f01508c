"""Watch partitions: which have no leader, hide records, or are not fetched."""

import time
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import structlog

from consumer.kafka.fetched import Trouble
from consumer.kafka.look import Look
from consumer.kafka.open_transactions import OpenTransaction

STALLED_SECONDS = 10.0
"""Seconds without a fetch, while records wait, after which a partition counts as stalled; and
without a leader, or an answer of its leader, after which other topics wait for it no longer."""

HELD_SECONDS = 10.0
"""Seconds after which an open transaction is named; ordinary ones are much shorter."""

MAX_NAMED = 10
"""Partitions that one message names."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PartitionStates:
    """How many partitions of a topic are in which state, and why some can't be read."""

    leaderless: int = 0
    under_replicated: int = 0
    stalled: int = 0
    held_back: int = 0
    """Partitions of which an open transaction hides records."""
    records_held_back: int = 0
    problems: Collection[str] = ()
    """Why some records can't be read now."""
    notices: Collection[str] = ()
    """What else is wrong; all records can be read."""


class PartitionWatch:
    """Finds the partitions of which records can't be read, and logs each change once.

    Parameters
    ----------
    topic
        Topic of the partitions.
    clock
        Seconds that only go forward.

    Attributes
    ----------
    states
        State of the partitions as last observed.
    trouble
        Partitions that can't be read as they should be.
    """

    def __init__(self, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.states = PartitionStates()
        self.trouble = Trouble()
        self._topic = topic
        self._clock = clock
        self._silent = _Unchanged()
        self._waiting = _Unchanged()
        self._held = _Unchanged()
        self._producers: dict[int, OpenTransaction | None] = {}
        self._reported: Mapping[object, str] = {}

    def observe(self, look: Look, positions: Mapping[int, int], missing: AbstractSet[int]) -> None:
        """Compare what brokers say with what is fetched.

        Parameters
        ----------
        look
            What brokers say.
        positions
            Next offset to fetch, by partition.
        missing
            Partitions with unread records of which none is queued.
        """
        now = self._clock()
        leaderless = look.leaderless
        unanswered = look.partitions.keys() - look.ends.keys() - leaderless
        reachable = missing & look.ends.keys()
        hidden = {p: ends for p, ends in look.ends.items() if ends.high > ends.stable}
        self._silent.update(dict.fromkeys(unanswered | leaderless, 0), now)
        self._waiting.update({p: positions[p] for p in reachable & positions.keys()}, now)
        self._held.update({p: ends.stable for p, ends in hidden.items()}, now)
        silent = self._silent.lasting(STALLED_SECONDS, now)
        stalled = self._waiting.lasting(STALLED_SECONDS, now)
        lasting = self._held.lasting(HELD_SECONDS, now)
        self._producers = {p: found for p, found in self._producers.items() if p in lasting}
        held = self._producers.keys()
        self.trouble = Trouble(leaderless, unanswered, stalled, silent | stalled)
        records = {p: hidden[p].high - hidden[p].stable for p in held}
        thin = {p for p, found in look.partitions.items() if found.in_sync < found.brokers}
        problems = {
            **self._without_leader(leaderless),
            **self._without_answer(look, silent & unanswered),
            **self._not_fetched(look, stalled, positions),
            **self._held_back(records, now),
        }
        notices = self._under_replicated(look, thin - leaderless)
        self._tell({**problems, **notices})
        self.states = PartitionStates(
            leaderless=len(leaderless),
            under_replicated=len(thin),
            stalled=len(stalled),
            held_back=len(held),
            records_held_back=sum(records.values()),
            problems=list(problems.values()),
            notices=list(notices.values()),
        )

    def lose_touch(self) -> None:
        """Forget for how long partitions were not fetched: no broker answers."""
        self._waiting.update({}, self._clock())

    @property
    def unnamed(self) -> set[int]:
        """Partitions to ask about: who keeps the transaction open? They are reported after that."""
        return self._held.lasting(HELD_SECONDS, self._clock()) - self._producers.keys()

    def name(self, asked: AbstractSet[int], producers: Mapping[int, OpenTransaction]) -> None:
        """Note who keeps transactions open, by partition, as far as brokers have said."""
        self._producers |= {partition: producers.get(partition) for partition in asked}

    def _tell(self, found: Mapping[object, str]) -> None:
        for key, text in found.items():
            if key not in self._reported:
                log.warning(text)
        for key, text in self._reported.items():
            if key not in found:
                log.info("in order again", problem=text)
        self._reported = found

    def _without_leader(self, partitions: AbstractSet[int]) -> Mapping[object, str]:
        if not partitions:
            return {}
        return {
            ("leaderless", *sorted(partitions)): f"{self._names(partitions)} no leader: the brokers"
            " that have a replica in sync are down; other partitions are read on"
        }

    def _without_answer(self, look: Look, partitions: AbstractSet[int]) -> Mapping[object, str]:
        return {
            ("unanswered", p): f"the leader of partition {p} of {self._topic!r}, broker"
            f" {look.partitions[p].leader}, does not say where the partition ends"
            f" ({look.refusals.get(p, 'no answer')})"
            for p in sorted(partitions)[:MAX_NAMED]
        }

    def _not_fetched(
        self, look: Look, partitions: AbstractSet[int], positions: Mapping[int, int]
    ) -> Mapping[object, str]:
        return {
            ("stalled", p): f"partition {p} of {self._topic!r} is not fetched, though"
            f" {look.ends[p].stable - positions[p]} records wait at its leader, broker"
            f" {look.partitions[p].leader}"
            for p in sorted(partitions)[:MAX_NAMED]
        }

    def _held_back(self, records: Mapping[int, int], now: float) -> Mapping[object, str]:
        return {
            ("held back", p): f"an open transaction holds back {records[p]} records of partition"
            f" {p} of {self._topic!r} since {_duration(self._held.seconds(p, now))}"
            f" ({self._producers[p] or 'the broker does not name its producer'}); its producer must"
            " commit or abort it"
            for p in sorted(records)[:MAX_NAMED]
        }

    def _under_replicated(self, look: Look, partitions: AbstractSet[int]) -> Mapping[object, str]:
        if not partitions:
            return {}
        fewest = min(look.partitions[p].in_sync for p in partitions)
        return {
            ("thin", *sorted(partitions)): f"{self._names(partitions)} too few replicas in sync"
            f" ({fewest} at least); all records can be read"
        }

    def _names(self, partitions: AbstractSet[int]) -> str:
        """Return the subject and verb of a sentence about partitions."""
        numbers = [str(number) for number in sorted(partitions)]
        more = f" and {len(numbers) - MAX_NAMED} more" if len(numbers) > MAX_NAMED else ""
        named = ", ".join(numbers[:MAX_NAMED])
        if len(numbers) == 1:
            return f"partition {named} of {self._topic!r} has"
        return f"partitions {named}{more} of {self._topic!r} have"


class _Unchanged:
    """For how long offsets of partitions have not changed."""

    def __init__(self) -> None:
        self._since: dict[int, tuple[int, float]] = {}

    def update(self, offsets: Mapping[int, int], now: float) -> None:
        """Note the offsets; partitions that are left out are forgotten."""
        earlier = self._since
        self._since = {
            p: earlier[p] if p in earlier and earlier[p][0] == offset else (offset, now)
            for p, offset in offsets.items()
        }

    def seconds(self, partition: int, now: float) -> float:
        """Return for how long the offset of a partition has not changed."""
        return now - self._since[partition][1]

    def lasting(self, seconds: float, now: float) -> set[int]:
        """Return the partitions whose offsets have not changed for some seconds."""
        return {p for p, (_, since) in self._since.items() if now - since >= seconds}


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"  # noqa: PLR2004
