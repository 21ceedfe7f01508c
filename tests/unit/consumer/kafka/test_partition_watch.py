"""Which partitions are named, when, and what the log says about them."""

from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from consumer.kafka.fetched import Trouble
from consumer.kafka.look import Ends, Look, Replicas
from consumer.kafka.open_transactions import OpenTransaction
from consumer.kafka.partition_watch import PartitionStates, PartitionWatch

LED = Replicas("1 at kafka-1:9092", 3, 3)
LEADERLESS = Replicas(None, 3, 0)


class Watch:
    """A watch with a clock that stands still between two looks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.watch = PartitionWatch("documents", lambda: self.now)

    def look(
        self,
        partitions: Mapping[int, Replicas],
        ends: Mapping[int, Ends],
        positions: Mapping[int, int],
        missing: frozenset[int] = frozenset(),
        refusals: Mapping[int, str] | None = None,
        after: float = 2.0,
    ) -> PartitionStates:
        self.now += after
        look = Look(self.now, "A", partitions, ends, refusals or {})
        self.watch.observe(look, positions, missing)
        return self.watch.states


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_all_is_well(watch: Watch) -> None:
    """Partitions that are read to their ends have no state, and nothing is logged."""
    with capture_logs() as logs:
        states = watch.look({0: LED}, {0: Ends(5, 5)}, {0: 5})
    assert (states, watch.watch.trouble) == (
        PartitionStates(problems=[], notices=[]),
        Trouble(set(), set(), set(), set()),
    )
    assert logs == []


def test_leaderless(watch: Watch) -> None:
    """Partitions without a leader are named at once, in one line, and once; their return, too."""
    partitions = {0: LED, **dict.fromkeys(range(1, 14), LEADERLESS)}
    with capture_logs() as logs:
        for _ in range(3):
            states = watch.look(partitions, {0: Ends(5, 5)}, {0: 5})
        watch.look({0: LED}, {0: Ends(5, 5)}, {0: 5})
    (problem,) = states.problems
    assert states.leaderless == 13
    assert "partitions 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more of 'documents' have no" in problem
    assert [log["log_level"] for log in logs] == ["warning", "info"]
    assert watch.watch.trouble.leaderless == set()


def test_other_topics_wait_for_an_election(watch: Watch) -> None:
    """Other topics wait for some seconds until a partition has a leader that answers."""
    ends = {0: Ends(5, 5)}
    watch.look({0: LED, 1: LEADERLESS}, ends, {0: 5})
    watch.look({0: LED, 1: LED}, ends, {0: 5}, after=6.0)
    assert watch.watch.trouble.excused == set()
    watch.look({0: LED, 1: LEADERLESS}, ends, {0: 5}, after=4.0)
    assert watch.watch.trouble.excused == {1}
    watch.look({0: LED, 1: LED}, {**ends, 1: Ends(0, 0)}, {0: 5, 1: 0})
    assert watch.watch.trouble.excused == set()


def test_leader_that_does_not_answer(watch: Watch) -> None:
    """A partition whose leader does not answer is not idle, and named after some seconds."""
    look = {"partitions": {0: LED}, "ends": {}, "positions": {0: 5}}
    states = watch.look(**look, refusals={0: "KAFKA_STORAGE_ERROR"})
    assert (states.problems, watch.watch.trouble.unanswered) == ([], {0})
    states = watch.look(**look, refusals={0: "KAFKA_STORAGE_ERROR"}, after=10.0)
    (problem,) = states.problems
    assert "partition 0 of 'documents', broker 1 at kafka-1:9092" in problem
    assert "KAFKA_STORAGE_ERROR" in problem


def test_stalled(watch: Watch) -> None:
    """A partition that is not fetched while records wait is named after ten seconds."""
    here = ({0: LED, 1: LED}, {0: Ends(9, 9), 1: Ends(305, 305)})
    for at in (0, 2, 4, 6, 8):
        states = watch.look(*here, {0: at, 1: 5}, frozenset({1}))
        assert not states.stalled
    states = watch.look(*here, {0: 9, 1: 5}, frozenset({1}))
    assert states.stalled == 1
    assert watch.watch.trouble.stalled == {1}
    assert "partition 1 of 'documents' is not fetched, though 300 records" in states.problems[0]
    assert watch.look(*here, {0: 9, 1: 6}, frozenset({1})).stalled == 0


@pytest.mark.parametrize("cause", ["outage", "queued", "leaderless"])
def test_not_stalled(watch: Watch, cause: str) -> None:
    """An outage, a queue with records and a missing leader are no stall of the partition."""
    here = ({0: LED}, {0: Ends(305, 305)}, {0: 5})
    watch.look(*here, frozenset({0}))
    if cause == "outage":
        watch.watch.lose_touch()
    elif cause == "queued":
        watch.look(*here, after=60.0)
    else:
        watch.look({0: LEADERLESS}, {}, {0: 5}, frozenset({0}), after=60.0)
    assert watch.look(*here, frozenset({0}), after=60.0).stalled == 0


def test_open_transaction(watch: Watch) -> None:
    """A transaction that stays open is named once its producer was asked for, with its age."""
    here = ({0: LED}, {0: Ends(5, 1005)}, {0: 5})
    watch.look(*here)
    watch.now += 12
    assert watch.watch.unnamed == {0}
    watch.watch.name({0}, {0: OpenTransaction(7, "orders-1")})
    states = watch.look(*here, after=180.0)
    assert (states.held_back, states.records_held_back) == (1, 1000)
    (problem,) = states.problems
    assert "holds back 1000 records of partition 0 of 'documents' since 3 min" in problem
    assert "(producer id 7, transactional id 'orders-1')" in problem
    assert watch.watch.unnamed == set()
    assert watch.look({0: LED}, {0: Ends(1006, 1006)}, {0: 5}).problems == []


def test_producer_that_is_not_named(watch: Watch) -> None:
    """A broker that does not say whose transaction it is hides neither it nor its records."""
    here = ({0: LED}, {0: Ends(5, 6)}, {0: 5})
    watch.look(*here)
    watch.now += 12
    watch.watch.name({0}, {})
    (problem,) = watch.look(*here).problems
    assert "the broker does not name its producer" in problem


def test_short_transactions(watch: Watch) -> None:
    """Transactions that end are not named, however many there are: each begins elsewhere."""
    for begin in range(0, 100, 5):
        states = watch.look({0: LED}, {0: Ends(begin, begin + 9)}, {0: begin})
        assert (watch.watch.unnamed, states.problems) == (set(), [])


def test_under_replicated(watch: Watch) -> None:
    """Too few replicas in sync are a notice: all records can be read."""
    states = watch.look({0: Replicas("1 at kafka-1:9092", 3, 2)}, {0: Ends(5, 5)}, {0: 5})
    assert (states.under_replicated, states.problems) == (1, [])
    assert "partition 0 of 'documents' has too few replicas in sync" in states.notices[0]
