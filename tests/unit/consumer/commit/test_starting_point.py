"""Where a run begins, by the commits of the group, the folder of checkpoints, and the topic."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import Part
from hypothesis import given
from hypothesis import strategies as st
from kafka import OffsetAndMetadata

from consumer.checkpoints.note import NOTE, note_committed
from consumer.checkpoints.state import take_snapshot
from consumer.checkpoints.store import CheckpointStore
from consumer.commit.group import Group
from consumer.commit.starting_point import GroupError, StartingPoint, starting_point
from consumer.kafka.offsets import FRESH
from consumer.kafka.topic_state import TopicState

ENDS = {0: 50, 1: 50}

beginnings = st.dictionaries(st.integers(0, 5), st.integers(0, 99), min_size=1)


def topic(
    ends: Mapping[int, int] = ENDS, id_: str | None = None, first: Mapping[int, int] | None = None
) -> TopicState:
    """Describe a topic whose partitions begin at 1."""
    start = dict.fromkeys(ends, 1)
    return TopicState(id_, start, ends, start if first is None else first)


class History:
    """A folder of checkpoints, and the group that wrote them."""

    def __init__(self, folder: Path) -> None:
        self.store = CheckpointStore(folder, keep=3)

    def save(self, *positions: int, documents: int = 5, topic_id: str | None = None) -> str:
        return self.store.save(
            take_snapshot({"part": Part(0)}),
            documents=documents,
            positions={str(number): offset for number, offset in enumerate(positions)},
            topic="documents",
            group="newsreel",
            describes={},
            topic_id=topic_id,
        )

    def start(
        self,
        metadata: str | Mapping[int, str],
        *offsets: int | None,
        at: TopicState | None = None,
        keep_model: bool = False,
        skip_lost: bool = False,
    ) -> StartingPoint:
        """Find the start of a group with an offset for each partition; None: no commit."""
        committed = {
            number: OffsetAndMetadata(
                offset, metadata if isinstance(metadata, str) else metadata[number], -1
            )
            for number, offset in enumerate(offsets)
            if offset is not None
        }
        group = Group("newsreel", "documents", committed)
        return starting_point(
            group, at or topic(), self.store, keep_model=keep_model, skip_lost=skip_lost
        )

    def refusal(
        self,
        metadata: str | Mapping[int, str],
        *offsets: int | None,
        at: TopicState | None = None,
    ) -> str:
        with pytest.raises(GroupError) as refused:
            self.start(metadata, *offsets, at=at)
        message = str(refused.value)
        assert len(message.splitlines()) == 1
        assert "--checkpoint-dir" in message
        assert "--group" in message
        return message


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@given(beginnings, beginnings)
def test_new_group(
    tmp_path_factory: pytest.TempPathFactory, first: dict[int, int], offsets: dict[int, int]
) -> None:
    """A new group begins where the option says, a group with offsets at these offsets."""
    store = CheckpointStore(tmp_path_factory.mktemp("empty"), keep=1)
    state = TopicState(None, dict.fromkeys(first, 0), dict.fromkeys(first, 100), first)
    found = starting_point(Group("g", "t", {}), state, store)
    assert found == StartingPoint(first, None)
    for metadata in ("", FRESH):
        committed = {p: OffsetAndMetadata(at, metadata, -1) for p, at in offsets.items()}
        found = starting_point(Group("g", "t", committed), state, store)
        assert found == StartingPoint({**state.beginnings, **offsets}, None)


def test_known_group(history: History) -> None:
    """A known group resumes at its offsets, with the checkpoint that they name."""
    old, new = history.save(10, 10), history.save(20, 20)
    assert history.start(new, 20, 20) == StartingPoint({0: 20, 1: 20}, new)
    assert history.start(old, 10, 10) == StartingPoint({0: 10, 1: 10}, old)


def test_added_partition(history: History) -> None:
    """A partition that the topic has gained is read from its beginning."""
    id_ = history.save(20, 20)
    found = history.start(id_, 20, 20, at=topic({0: 50, 1: 50, 2: 9}))
    assert found == StartingPoint({0: 20, 1: 20, 2: 1}, id_)


def test_missing_checkpoint(history: History) -> None:
    """The error about a missing checkpoint names its id."""
    assert "000000000005-000001-00000000" in history.refusal("000000000005-000001-00000000", 20, 20)


@pytest.mark.parametrize("offsets", [(0, 0), (45, 45), (7, 0)])
def test_uncommitted_checkpoint(history: History, offsets: tuple[int, int]) -> None:
    """A checkpoint that was never committed is not used: the group begins at its offsets.

    The group says so if newsreel committed its beginning, the note says so if offsets were set
    afterwards.
    """
    history.save(48, 46)
    assert history.start(FRESH, *offsets).checkpoint is None
    note_committed(history.store.folder, None)
    assert history.start("", *offsets) == StartingPoint(dict(enumerate(offsets)), None)


def test_uncommitted_checkpoint_of_an_old_version(history: History) -> None:
    """Without a note, the only checkpoint is uncommitted if it begins at the group's offsets."""
    history.save(44, 41, documents=5)
    assert history.start("", 40, 40) == StartingPoint({0: 40, 1: 40}, None)
    assert "--keep-model" in history.refusal("", 39, 40)
    assert "--keep-model" in history.refusal("", 45, 36)
    history.save(49, 46, documents=15)
    assert "--keep-model" in history.refusal("", 40, 40)


def test_uncommitted_checkpoint_after_a_commit(history: History) -> None:
    """Where no offset names a checkpoint, the note tells which one was committed last."""
    committed = history.save(20, 20)
    history.save(30, 30, documents=15)
    note_committed(history.store.folder, committed)
    assert history.start("", 5, 5, keep_model=True).checkpoint == committed
    (history.store.folder / NOTE).write_text("{")
    assert history.start("", 5, 5, keep_model=True).checkpoint != committed


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("offsets", [(10, 20), (20, 30), (0, 0), (None, 20)])
def test_moved_offsets(
    history: History,
    named: bool,  # noqa: FBT001
    offsets: tuple[int | None, int],
) -> None:
    """Offsets that were moved are refused, or kept with the model."""
    id_ = history.save(20, 20)
    metadata = id_ if named else ""
    message = history.refusal(metadata, *offsets)
    assert "move them back" in message
    assert "--keep-model" in message
    found = history.start(metadata, *offsets, keep_model=True)
    assert (found.checkpoint, found.moved) == (id_, True)
    assert found.positions == {0: 1 if offsets[0] is None else offsets[0], 1: offsets[1]}


def test_offsets_that_were_moved_back(history: History) -> None:
    """Offsets that were moved back to those of the checkpoint need no option."""
    id_ = history.save(20, 20)
    assert history.start("", 20, 20) == StartingPoint({0: 20, 1: 20}, id_)


def test_some_moved_partitions(history: History) -> None:
    """Partitions are named that were moved; the others go on where they were."""
    id_ = history.save(20, 20)
    metadata = {0: id_, 1: ""}
    assert "(partition 1)" in history.refusal(metadata, 20, 3)
    found = history.start(metadata, 20, 3, keep_model=True)
    assert found.positions == {0: 20, 1: 3}


def test_expired_offsets(history: History) -> None:
    """A group without offsets goes on at the checkpoint's, if the topic is surely the same."""
    id_ = history.save(20, 20, topic_id="a")
    assert "have expired" in history.refusal(id_)
    found = history.start("", at=topic(id_="a"), keep_model=True)
    assert found == StartingPoint({0: 20, 1: 20}, id_, moved=True)
    found = history.start("", at=topic(first={0: 7, 1: 8}), keep_model=True)
    assert found == StartingPoint({0: 7, 1: 8}, id_, moved=True)


@pytest.mark.parametrize("ends", [{0: 50, 1: 50}, {0: 5, 1: 50}, {0: 5}])
@pytest.mark.parametrize("deleted", [True, False])
def test_topic_created_again(
    history: History,
    ends: dict[int, int],
    deleted: bool,  # noqa: FBT001
) -> None:
    """A topic of another id is read where a new group begins, whatever offsets are left."""
    id_ = history.save(20, 20, topic_id="a")
    state = topic(ends, "b", first=dict.fromkeys(ends, 2))
    offsets = [] if deleted else [20] * len(ends)
    assert "created again" in history.refusal(id_, *offsets, at=state)
    found = history.start(id_, *offsets, at=state, keep_model=True)
    assert found == StartingPoint(dict.fromkeys(ends, 2), id_, moved=True)


@pytest.mark.parametrize("ends", [{0: 5, 1: 50}, {0: 50}])
def test_topic_created_again_without_ids(history: History, ends: dict[int, int]) -> None:
    """Without ids, a new topic is known by partitions that end before the commit, or are gone."""
    id_ = history.save(20, 20)
    offsets = [20] * len(ends)
    assert "created again" in history.refusal(id_, *offsets, at=topic(ends))
    found = history.start(id_, *offsets, at=topic(ends), keep_model=True)
    assert found == StartingPoint(dict.fromkeys(ends, 1), id_, moved=True)


@pytest.mark.parametrize("named", [True, False])
def test_mirrored_topic(history: History, named: bool) -> None:  # noqa: FBT001
    """A mirrored topic is read from the offsets that the group has there."""
    id_ = history.save(20, 20, topic_id="a")
    metadata = id_ if named else ""
    assert "is a copy" in history.refusal(metadata, 15, 17, at=topic(id_="b"))
    found = history.start(metadata, 15, 17, at=topic(id_="b"), keep_model=True)
    assert found == StartingPoint({0: 15, 1: 17}, id_, moved=True)


def test_same_topic(history: History) -> None:
    """Ids are compared only if both are known."""
    id_ = history.save(20, 20, topic_id="a")
    assert not history.start(id_, 20, 20, at=topic(id_="a")).moved
    assert not history.start(id_, 20, 20, at=topic(id_=None)).moved
    old = history.save(20, 20)
    assert not history.start(old, 20, 20, at=topic(id_="a")).moved


def test_offsets_past_the_end_of_a_new_group(history: History) -> None:
    """Nothing was learned yet: with --keep-model, offsets that do not exist are forgotten."""
    found = history.start(FRESH, 60, 20, keep_model=True)
    assert found == StartingPoint({0: 1, 1: 20}, None)


def test_a_partition_without_a_leader(tmp_path: Path) -> None:
    """A partition of which nothing is known now is read on from its committed offset.

    With --keep-model such a start is refused: the offset might be one that the topic has not.
    """
    history = History(tmp_path)
    id_ = history.save(7, 9)
    state = replace(topic({0: 50}), leaderless=frozenset({1}))
    assert history.start(id_, 7, 9, at=state) == StartingPoint({0: 7, 1: 9}, id_)
    with pytest.raises(GroupError, match=r"partitions without a leader \(1\)"):
        history.start(id_, 7, 9, at=state, keep_model=True)
    new = History(tmp_path / "new")
    assert new.start(FRESH, at=state) == StartingPoint({0: 1}, None)


def test_truncation(history: History) -> None:
    """A topic of the same id that ends before the offsets has lost records: the start says so."""
    id_ = history.save(60, 50, topic_id="A")
    message = history.refusal(id_, 60, 50, at=topic(id_="A"))
    assert "lost by an unclean leader election: partition 0 now ends at 50" in message
    assert "before position 60" in message
    assert "--lost-offsets continue" in message


def test_truncation_is_skipped(history: History) -> None:
    """With permission, the run begins at the new end, and commits that position first."""
    id_ = history.save(60, 50, topic_id="A")
    found = history.start(id_, 60, 50, at=topic(id_="A"), skip_lost=True)
    assert found == StartingPoint({0: 50, 1: 50}, id_, moved=True, lost=10)


def test_truncation_and_offsets_that_were_moved(history: History) -> None:
    """Other offsets that were moved are a reason to stop, with lost records, too."""
    id_ = history.save(60, 50, topic_id="A")
    with pytest.raises(GroupError, match="were moved"):
        history.start(id_, 60, 40, at=topic(id_="A"), skip_lost=True)
    found = history.start(id_, 60, 40, at=topic(id_="A"), keep_model=True)
    assert found.positions == {0: 50, 1: 40}
