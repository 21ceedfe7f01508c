"""Positions and checkpoint of a start, by the commits of the group and the folder."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import OffsetAndMetadata

from consumer.commit.recovery import GroupError, StartingPoint, starting_point
from consumer.kafka.offsets import FRESH

IDS = ["000000000010-aa", "000000000020-bb", "000000000030-cc"]

beginnings = st.dictionaries(st.integers(0, 5), st.integers(0, 99), min_size=1)

marks = st.sampled_from(["", FRESH, *IDS])

commits = st.dictionaries(
    st.integers(0, 5), st.builds(OffsetAndMetadata, st.integers(0, 999), marks, st.just(-1))
)


def find_start(
    committed: Mapping[int, OffsetAndMetadata],
    beginnings: Mapping[int, int],
    checkpoints: Sequence[str],
) -> StartingPoint:
    return starting_point("newsreel", "documents", committed, beginnings, checkpoints)


def commit(offset: int, metadata: str) -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, metadata, -1)


def refusal(*arguments: Any) -> str:
    with pytest.raises(GroupError) as refused:
        find_start(*arguments)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


@given(beginnings)
def test_new_group(beginnings: dict[int, int]) -> None:
    """A new group starts without a checkpoint at the first offsets, which need not be 0."""
    found = find_start({}, beginnings, [])
    assert (found.positions, found.checkpoint) == (beginnings, None)


@given(commits, beginnings, st.lists(st.sampled_from(IDS), unique=True))
def test_known_group(
    committed: dict[int, OffsetAndMetadata], beginnings: dict[int, int], checkpoints: list[str]
) -> None:
    """A known group resumes from the checkpoint and offsets of its last commit, or is refused."""
    ids = {found.metadata for found in committed.values()} & set(IDS)
    fresh = any(found.metadata == FRESH for found in committed.values())
    try:
        found = find_start(committed, beginnings, checkpoints)
    except GroupError:
        assert ids - set(checkpoints) or (checkpoints and not ids and not fresh)
        return
    assert found.checkpoint == max(ids, default=None)
    assert found.checkpoint in {None, *checkpoints}
    for partition in beginnings.keys() | committed.keys():
        known = committed.get(partition)
        assert found.positions[partition] == (known.offset if known else beginnings[partition])


def test_uncommitted_checkpoint() -> None:
    """A newer checkpoint that no commit names is ignored."""
    assert find_start({0: commit(10, IDS[0])}, {0: 0}, IDS).checkpoint == IDS[0]
    assert find_start({0: commit(0, FRESH)}, {0: 0}, IDS).checkpoint is None


def test_added_partition() -> None:
    """A partition without a commit starts at its first offset; a vanished one keeps its offset."""
    found = find_start({0: commit(10, IDS[0]), 2: commit(5, FRESH)}, {0: 3, 1: 4}, IDS)
    assert found.positions == {0: 10, 1: 4, 2: 5}


def test_missing_checkpoint() -> None:
    """The error about a missing checkpoint names its id and the options to change."""
    message = refusal({0: commit(10, IDS[1])}, {0: 0}, IDS[:1])
    assert IDS[1] in message
    assert "--checkpoint-dir" in message
    assert "--group" in message


@pytest.mark.parametrize("committed", [{}, {0: commit(10, "")}])
def test_checkpoints_of_another_group(committed: dict[int, OffsetAndMetadata]) -> None:
    """A folder with checkpoints is refused for a group that has committed none of them."""
    message = refusal(committed, {0: 0}, IDS)
    assert "'newsreel'" in message
    assert "'documents'" in message
