"""Checkpoints: whole or not at all, exact, and never restored into something else."""

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import FORMAT, BrokenCheckpointError, CheckpointError, Manifest
from consumer.checkpoints.state import take_snapshot
from consumer.checkpoints.store import CheckpointStore, newest_checkpoint, restore_checkpoint

ABOUT: dict[str, Any] = {
    "topic": "documents",
    "group": "newsreel",
    "positions": {"0": 12, "1": 7},
    "describes": {"learner": "finetune", "model": "all-MiniLM-L6-v2", "layers": 2},
}


class Part:
    """Anything that has a state."""

    def __init__(self, state: Any = None) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Any]:
        return {"state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.state = state["state"]


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)


def same(one: Any, other: Any) -> bool:
    """Equal in value, type and, for tensors, in every bit; a tuple comes back as a list."""
    if isinstance(one, torch.Tensor):
        return (
            isinstance(other, torch.Tensor)
            and (one.dtype, one.shape) == (other.dtype, other.shape)
            and torch.equal(bits(one), bits(other))
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def tensor(shape: list[int], dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(len(shape))
    return torch.randn(shape, generator=generator).mul(100).to(dtype)


tensors = st.builds(
    tensor,
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool]),
)

texts = st.text() | st.sampled_from(["läbel", "\U0001f4f0", "\u2028", "\x00", "a.b", "1", "null"])

trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63, 2**128)
    | st.floats(allow_nan=False)
    | texts
    | tensors,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts.filter(lambda key: "/" not in key), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    made = CheckpointStore(tmp_path / "checkpoints", keep=2)
    made.create()
    return made


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> CheckpointStore:
    return CheckpointStore(tmp_path_factory.mktemp("checkpoints"), keep=1)


def save(store: CheckpointStore, states: Mapping[str, Any], documents: int = 1) -> str:
    taken = take_snapshot({name: Part(state) for name, state in states.items()})
    return store.save(taken, documents=documents, **ABOUT)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(CheckpointError) as refused:
        call()
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


# --- round trip ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(["labels", "learner", "replay"]), trees))
def test_round_trip(shared_store: CheckpointStore, states: dict[str, Any]) -> None:
    """Whatever primitives and tensors parts hold, they get back, bit for bit."""
    id_ = save(shared_store, states)
    restored = {name: Part() for name in states}
    restore_checkpoint(shared_store.folder / id_, restored)
    assert same({name: part.state for name, part in restored.items()}, states)
    shutil.rmtree(shared_store.folder / id_)


def test_a_saved_tensor_is_a_copy(store: CheckpointStore) -> None:
    """What happens to a tensor after it was saved does not reach the checkpoint."""
    weight = torch.arange(6.0).reshape(2, 3)
    id_ = save(store, {"part": weight.T})
    expected = weight.T.clone()
    weight.zero_()
    restored = Part()
    restore_checkpoint(store.folder / id_, {"part": restored})
    assert same(restored.state, expected)


def test_manifest_says_what_it_is_of(store: CheckpointStore) -> None:
    """The manifest holds the id, the count and all that the caller said."""
    id_ = save(store, {"part": 1}, 500)
    manifest = dataclasses.asdict(Manifest.read(store.folder / id_))
    assert ABOUT.items() <= manifest.items()
    assert (manifest["id"], manifest["documents"]) == (id_, 500)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_neither_tensor_nor_primitive(store: CheckpointStore, value: Any) -> None:
    """A state that could not come back is an error at once, and leaves nothing behind."""
    with pytest.raises(TypeError, match="neither a tensor nor a primitive"):
        save(store, {"part": {"deep": [value]}})
    assert store.ids() == []
    assert not list(store.folder.glob("*-*"))


def test_keys_with_slashes(store: CheckpointStore) -> None:
    """Two tensors never get into each other's place, whatever the keys they are found by."""
    state = {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}}
    id_ = save(store, {"part": state})
    restored = Part()
    restore_checkpoint(store.folder / id_, {"part": restored})
    assert same(restored.state, state)


def test_keys_that_are_no_strings(store: CheckpointStore) -> None:
    """Keys that JSON would change come back as they were, or are refused like other values."""
    state = {0: "zero", 1: "one"}
    try:
        id_ = save(store, {"part": state})
    except TypeError:
        return
    restored = Part()
    restore_checkpoint(store.folder / id_, {"part": restored})
    assert restored.state == state


# --- whole or not at all ------------------------------------------------------------------------


class FailingSync:
    """Let the first calls of fsync pass, then fail."""

    def __init__(self, passes: int, error: BaseException) -> None:
        self.left = passes
        self.error = error
        self.sync = os.fsync

    def __call__(self, descriptor: int) -> None:
        if self.left == 0:
            raise self.error
        self.left -= 1
        self.sync(descriptor)


def restorable(store: CheckpointStore) -> list[int]:
    """Return the state of each checkpoint that the store shows."""
    states = []
    for id_ in store.ids():
        part = Part()
        restore_checkpoint(store.folder / id_, {"part": part})
        states.append(part.state)
    return states


@pytest.mark.parametrize("passes", range(5))
def test_killed_while_writing(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, passes: int
) -> None:
    """Wherever writing ends, all checkpoints that are seen are whole, and the old one is there."""
    save(store, {"part": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FailingSync(passes, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            save(store, {"part": 2}, 2)
    assert restorable(store) in ([1], [1, 2])
    third = save(store, {"part": 3}, 3)
    store.clear(third)
    assert restorable(store)[-1] == 3
    assert {path.name for path in store.folder.iterdir()} == set(store.ids())


@pytest.mark.parametrize("passes", range(4))
def test_disk_full(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, passes: int) -> None:
    """A full disk is told in one line, and leaves the old checkpoint and no rubbish."""
    first = save(store, {"part": 1})
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FailingSync(passes, full))
        message = refusal(lambda: save(store, {"part": 2}, 2))
    assert os.strerror(errno.ENOSPC) in message
    assert {path.name for path in store.folder.iterdir()} == {first}
    assert restorable(store) == [1]


def test_folder_vanished(store: CheckpointStore) -> None:
    """A folder that was deleted under a running consumer is made anew."""
    save(store, {"part": 1})
    shutil.rmtree(store.folder)
    save(store, {"part": 2}, 2)
    assert restorable(store) == [2]


def test_folder_that_became_a_file(store: CheckpointStore) -> None:
    """A folder that can't be written any more is told in one line."""
    shutil.rmtree(store.folder)
    store.folder.write_text("")
    assert "not written" in refusal(lambda: save(store, {"part": 1}))


def test_points_that_a_fault_may_follow(store: CheckpointStore) -> None:
    """It is told when all files are there, and when they have their name."""
    seen = []

    def failpoint(point: str) -> None:
        seen.append((point, len(store.ids())))

    interrupts = Interrupts(failpoint=failpoint)
    store.save(take_snapshot({"part": Part(1)}), interrupts, documents=1, **ABOUT)
    assert seen == [("checkpoint-draft", 0), ("checkpoint-written", 1)]


# --- never into something else ------------------------------------------------------------------


@pytest.fixture
def saved(store: CheckpointStore) -> Path:
    state = {"weight": torch.arange(3.0), "names": ["a", "b"], "seen": 2**70}
    return store.folder / save(store, {"part": state})


def test_every_flipped_byte(saved: Path) -> None:
    """A flipped byte anywhere is found, or, in the manifest, is a space that says nothing."""
    original = Part()
    restore_checkpoint(saved, {"part": original})
    found = 0
    for path in sorted(saved.iterdir()):
        data = path.read_bytes()
        for position in range(len(data)):
            damaged = bytearray(data)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            part = Part()
            try:
                restore_checkpoint(saved, {"part": part})
            except BrokenCheckpointError as error:
                refused: CheckpointError = error
            else:
                assert path.name == "manifest.json"
                assert json.loads(damaged) == json.loads(data)
                assert same(part.state, original.state)
                continue
            assert len(str(refused).splitlines()) == 1
            found += 1
        path.write_bytes(data)
    assert found > sum(path.stat().st_size for path in saved.iterdir()) / 2


@pytest.mark.parametrize("name", ["manifest.json", "state.json", "tensors.safetensors"])
@pytest.mark.parametrize("keep", [None, 0.0, 0.5, 0.99])
def test_missing_or_truncated_file(saved: Path, name: str, keep: float | None) -> None:
    """A file that is missing, empty or cut off is told in one line that names the checkpoint."""
    path = saved / name
    data = path.read_bytes()
    path.unlink()
    if keep is not None:
        path.write_bytes(data[: int(keep * len(data))])
    message = refusal(lambda: restore_checkpoint(saved, {"part": Part()}))
    assert str(saved) in message
    assert "broken or incomplete" in message


@pytest.mark.parametrize(
    "content", ["[]", "null", '"text"', "{}", json.dumps({"format": FORMAT}), "[" * 9]
)
def test_manifest_of_another_shape(saved: Path, content: str) -> None:
    """JSON that is no manifest is a broken checkpoint."""
    (saved / "manifest.json").write_text(content)
    assert "broken" in refusal(lambda: Manifest.read(saved))


def test_newer_format(saved: Path) -> None:
    """A checkpoint of a newer newsreel is refused for that reason, whatever else is new in it."""
    path = saved / "manifest.json"
    manifest = json.loads(path.read_text()) | {"format": FORMAT + 1, "shards": 4}
    del manifest["manifest_sha256"]  # it has one of its own, in a way of its own
    path.write_text(json.dumps(manifest))
    message = refusal(lambda: restore_checkpoint(saved, {"part": Part()}))
    assert f"format {FORMAT + 1}" in message
    assert f"reads {FORMAT}" in message


def test_missing_part(saved: Path) -> None:
    """A checkpoint without the state of a part is not restored."""
    refusal(lambda: restore_checkpoint(saved, {"part": Part(), "drift": Part()}))


def test_another_model(saved: Path) -> None:
    """Each difference between the checkpoint's learner and this one is named."""
    manifest = Manifest.read(saved)
    manifest.require_fit(ABOUT["describes"])
    here = ABOUT["describes"] | {"model": "bert-base-uncased", "layers": None}
    message = refusal(lambda: manifest.require_fit(here))
    assert "--model is all-MiniLM-L6-v2 there and bert-base-uncased here" in message
    assert "--layers is 2 there and all here" in message
    assert "learner" not in message


# --- the folder ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "left"), [(1, ["2"]), (2, ["1", "2"]), (5, ["0", "1", "2"])])
def test_prune(tmp_path: Path, keep: int, left: list[str]) -> None:
    """The newest up to the one that was just committed are kept; newer ones are left alone."""
    store = CheckpointStore(tmp_path, keep)
    ids = [save(store, {"part": str(number)}, number) for number in range(4)]
    stranger = tmp_path / "notes.txt"
    stranger.write_text("not ours")
    store.prune(ids[2])
    assert restorable(store) == [*left, "3"]
    store.clear(ids[2])  # the fourth was never committed
    assert restorable(store) == left
    assert stranger.exists()
    store.clear(None)
    assert restorable(store) == []


def test_a_broken_one_is_not_among_those_kept(tmp_path: Path) -> None:
    """Of two that are kept, both can be gone back to."""
    store = CheckpointStore(tmp_path, keep=2)
    ids = [save(store, {"part": number}, number) for number in range(3)]
    store.pass_over(ids[1])
    store.prune(ids[2])
    assert restorable(store) == [0, 2]


def test_numbers_stay_small(tmp_path: Path) -> None:
    """However many there were before, an id has as many digits as it should."""
    store = CheckpointStore(tmp_path, keep=1)
    (tmp_path / "000000000001-999999-00000000").mkdir()
    (tmp_path / "000000000001-999999-00000000" / "manifest.json").touch()
    assert save(store, {"part": 1}, 2) in store.ids()


def test_prune_at_the_same_document(tmp_path: Path) -> None:
    """Where only unusable records come, checkpoints of the same document stay in order."""
    store = CheckpointStore(tmp_path, keep=2)
    for number in range(8):
        newest = save(store, {"part": number}, 500)
        store.prune(newest)
        assert restorable(store) == [number - 1, number][-(number + 1) :]


def test_newest(tmp_path: Path) -> None:
    """Given a folder of checkpoints the newest is found; given a checkpoint, that one."""
    store = CheckpointStore(tmp_path, keep=9)
    ids = [save(store, {"part": n}, n) for n in (7, 1_000_000, 30)]
    assert newest_checkpoint(tmp_path) == tmp_path / ids[1]
    assert newest_checkpoint(tmp_path / ids[2]) == tmp_path / ids[2]


@pytest.mark.parametrize("name", ["empty", "missing", "file"])
def test_no_checkpoint_there(tmp_path: Path, name: str) -> None:
    """A folder without a checkpoint is told in one line that names it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert repr(str(tmp_path / name)) in refusal(lambda: newest_checkpoint(tmp_path / name))


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_unwritable_folder(tmp_path: Path, name: str) -> None:
    """A folder that can't be is told in one line, with the option that names another."""
    (tmp_path / "file").write_text("")
    message = refusal(CheckpointStore(tmp_path / name, keep=1).create)
    assert "--checkpoint-dir" in message


def test_prune_by_one_that_was_taken_over_from(tmp_path: Path) -> None:
    """A consumer that slept over a takeover deletes nothing that its successor has written."""
    store = CheckpointStore(tmp_path, keep=1)
    old = [save(store, {"part": number}, number) for number in range(2)]
    new: list[str] = []

    def write(*, answer: bool) -> bool:
        new.append(save(store, {"part": len(new)}, 2 + len(new)))
        return answer

    store.clear(
        old[1], Interrupts(fenced=lambda: write(answer=False))
    )  # written since it has looked
    assert store.ids() == [*old, *new]
    store.clear(old[1], Interrupts(fenced=lambda: write(answer=True)))  # written before
    assert store.ids() == [*old, *new]
    store.prune(old[1])
    assert store.ids() == [old[1], *new]
