"""Where a group goes on, for whatever the broker and the folder say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import OffsetAndMetadata

from consumer.commit.recovery import GroupError, starting_point
from consumer.kafka.offsets import FRESH

IDS = ["000000000010-aa", "000000000020-bb", "000000000030-cc"]

beginnings = st.dictionaries(st.integers(0, 5), st.integers(0, 99), min_size=1)

marks = st.sampled_from(["", FRESH, *IDS])

commits = st.dictionaries(
    st.integers(0, 5), st.builds(OffsetAndMetadata, st.integers(0, 999), marks, st.just(-1))
)


def start(committed: Any, beginnings: Any, checkpoints: list[str]) -> Any:
    return starting_point("newsreel", "documents", committed, beginnings, checkpoints)


def commit(offset: int, metadata: str) -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, metadata, -1)


def refusal(*arguments: Any) -> str:
    with pytest.raises(GroupError) as refused:
        start(*arguments)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


@given(beginnings)
def test_a_new_group(beginnings: dict[int, int]) -> None:
    """It begins where the topic does, which need not be 0, with no checkpoint."""
    found = start({}, beginnings, [])
    assert (found.positions, found.checkpoint) == (beginnings, None)


@given(commits, beginnings, st.lists(st.sampled_from(IDS), unique=True))
def test_a_known_group(
    committed: dict[int, OffsetAndMetadata], beginnings: dict[int, int], checkpoints: list[str]
) -> None:
    """It goes on where it stopped with the checkpoint of its last commit, or not at all."""
    ids = {found.metadata for found in committed.values()} & set(IDS)
    fresh = any(found.metadata == FRESH for found in committed.values())
    try:
        found = start(committed, beginnings, checkpoints)
    except GroupError:
        assert ids - set(checkpoints) or (checkpoints and not ids and not fresh)
        return
    assert found.checkpoint == max(ids, default=None)
    assert found.checkpoint in {None, *checkpoints}
    for partition in beginnings.keys() | committed.keys():
        known = committed.get(partition)
        assert found.positions[partition] == (known.offset if known else beginnings[partition])


def test_written_but_never_committed() -> None:
    """A newer checkpoint that no commit names is not gone on from, nor is it in the way."""
    assert start({0: commit(10, IDS[0])}, {0: 0}, IDS).checkpoint == IDS[0]
    assert start({0: commit(0, FRESH)}, {0: 0}, IDS).checkpoint is None


def test_partitions_gained() -> None:
    """They are read from their beginning; one that has vanished keeps its offset."""
    found = start({0: commit(10, IDS[0]), 2: commit(5, FRESH)}, {0: 3, 1: 4}, IDS)
    assert found.positions == {0: 10, 1: 4, 2: 5}


def test_the_checkpoint_is_not_there() -> None:
    """It is named, with what to do."""
    message = refusal({0: commit(10, IDS[1])}, {0: 0}, IDS[:1])
    assert IDS[1] in message
    assert "--checkpoint-dir" in message
    assert "--group" in message


@pytest.mark.parametrize("committed", [{}, {0: commit(10, "")}])
def test_checkpoints_of_somebody_else(committed: Any) -> None:
    """A folder in use is not gone on from, or written to, by a group that never used it."""
    message = refusal(committed, {0: 0}, IDS)
    assert "'newsreel'" in message
    assert "'documents'" in message
