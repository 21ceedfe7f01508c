"""Which checkpoint is restored, and at which positions, when some of them are broken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from helpers import Part

from consumer.checkpoints.manifest import BrokenCheckpointError, CheckpointError
from consumer.checkpoints.state import take_snapshot
from consumer.checkpoints.store import CheckpointStore
from consumer.commit import recovery
from consumer.commit.starting_point import StartingPoint

DESCRIBES: dict[str, Any] = {"learner": "bayes", "max_tokens": 16}


class Saved:
    """Checkpoints after 10, 20 and 30 documents, of which the last one is committed."""

    def __init__(self, folder: Path) -> None:
        self.store = CheckpointStore(folder, keep=3)
        self.ids = [self.save(number, {"0": number * 10, "1": number}) for number in (1, 2, 3)]
        self.part = Part()

    def save(self, state: int, positions: dict[str, int]) -> str:
        about = {"topic": "documents", "group": "newsreel", "describes": DESCRIBES}
        snapshot = take_snapshot({"part": Part(state)})
        return self.store.save(snapshot, documents=state * 10, positions=positions, **about)

    def damage(self, *ids: str, file: str = "state.json") -> None:
        for id_ in ids:
            path = self.store.folder / id_ / file
            path.write_bytes(path.read_bytes()[:-2])

    def restore(
        self, positions: Mapping[int, int], describes: Mapping[str, Any] = DESCRIBES
    ) -> Mapping[int, int]:
        start = StartingPoint(positions, self.ids[-1])
        return recovery.restore(self.store, start, {"part": self.part}, describes)

    def refusal(self, *arguments: Any) -> str:
        with pytest.raises(CheckpointError) as refused:
            self.restore(*arguments)
        assert len(str(refused.value).splitlines()) == 1
        return str(refused.value)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return Saved(tmp_path)


def test_committed_checkpoint(saved: Saved) -> None:
    """The committed checkpoint is restored with its positions; a newer one is ignored."""
    saved.save(4, {"0": 40, "1": 4})
    assert saved.restore({0: 30, 1: 3}) == {0: 30, 1: 3}
    assert saved.part.state == 3


def test_no_commit(saved: Saved) -> None:
    """Without a commit, no checkpoint is restored."""
    start = StartingPoint({0: 0}, None)
    assert recovery.restore(saved.store, start, {"part": saved.part}, {}) == {0: 0}
    assert saved.part.state is None


@pytest.mark.parametrize("file", ["state.json", "tensors.safetensors", "manifest.json"])
@pytest.mark.parametrize("count", [1, 2])
def test_broken_checkpoints(saved: Saved, file: str, count: int) -> None:
    """The newest intact checkpoint is restored, with its own positions."""
    saved.damage(*saved.ids[-count:], file=file)
    left = 3 - count
    assert saved.restore({0: 30, 1: 3}) == {0: left * 10, 1: left}
    assert saved.part.state == left


def test_checkpoint_of_another_history(saved: Saved) -> None:
    """A checkpoint with a position beyond the commit is skipped: it belongs to another history."""
    saved.ids.insert(2, saved.save(2, {"0": 19, "1": 4}))
    saved.damage(saved.ids[-1])
    assert saved.restore({0: 30, 1: 3}) == {0: 20, 1: 2}


def test_added_partition(saved: Saved) -> None:
    """A partition that the restored checkpoint lacks is read from offset 0."""
    saved.damage(saved.ids[-1])
    assert saved.restore({0: 30, 1: 3, 2: 8}) == {0: 20, 1: 2, 2: 0}


@pytest.mark.parametrize("file", ["state.json", "manifest.json"])
def test_all_checkpoints_broken(saved: Saved, file: str) -> None:
    """If all checkpoints are broken, one line names the committed one."""
    saved.damage(*saved.ids, file=file)
    with pytest.raises(BrokenCheckpointError, match=saved.ids[-1]):
        saved.restore({0: 30, 1: 3})
    assert "--checkpoint-dir" in saved.refusal({0: 30, 1: 3})


@pytest.mark.parametrize("broken", [False, True])
def test_another_model(saved: Saved, broken: bool) -> None:  # noqa: FBT001
    """A checkpoint of another model is an error, and no older checkpoint is restored instead."""
    if broken:
        saved.damage(saved.ids[-1])
    message = saved.refusal({0: 30, 1: 3}, DESCRIBES | {"max_tokens": 32})
    assert "of another model" in message
    assert "--max-tokens is 16 in the checkpoint and 32 in the options" in message
    assert saved.part.state is None


@pytest.mark.parametrize("damaged", [0, 1])
def test_moved_positions(saved: Saved, damaged: int) -> None:
    """Positions that were moved stand, whichever checkpoint is restored."""
    saved.damage(*saved.ids[3 - damaged :])
    start = StartingPoint({0: 2, 5: 1}, saved.ids[-1], moved=True)
    found = recovery.restore(saved.store, start, {"part": saved.part}, DESCRIBES)
    assert found == {0: 2, 5: 1}
    assert saved.part.state == 3 - damaged
