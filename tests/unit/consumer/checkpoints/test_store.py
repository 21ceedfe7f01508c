"""Checkpoints are written whole or not at all, are exact, and are verified when restored."""

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
from helpers import Part
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


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)


def same(first: Any, second: Any) -> bool:
    """Return whether two states are equal in value, type and bits; a tuple equals its list."""
    if isinstance(first, torch.Tensor):
        return (
            isinstance(second, torch.Tensor)
            and (first.dtype, first.shape) == (second.dtype, second.shape)
            and torch.equal(bits(first), bits(second))
        )
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and first == second


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
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    store.create()
    return store


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> CheckpointStore:
    return CheckpointStore(tmp_path_factory.mktemp("checkpoints"), keep=1)


def save(store: CheckpointStore, states: Mapping[str, Any], documents: int = 1) -> str:
    snapshot = take_snapshot({name: Part(state) for name, state in states.items()})
    return store.save(snapshot, documents=documents, **ABOUT)


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
    """Parts get back their primitives and tensors, bit for bit."""
    id_ = save(shared_store, states)
    restored = {name: Part() for name in states}
    restore_checkpoint(shared_store.folder / id_, restored)
    assert same({name: part.state for name, part in restored.items()}, states)
    shutil.rmtree(shared_store.folder / id_)


def test_a_saved_tensor_is_a_copy(store: CheckpointStore) -> None:
    """Changes of a tensor after saving do not reach the checkpoint."""
    weight = torch.arange(6.0).reshape(2, 3)
    id_ = save(store, {"part": weight.T})
    expected = weight.T.clone()
    weight.zero_()
    restored = Part()
    restore_checkpoint(store.folder / id_, {"part": restored})
    assert same(restored.state, expected)


def test_manifest(store: CheckpointStore) -> None:
    """The manifest holds the id, the number of documents and the fields of the caller."""
    id_ = save(store, {"part": 1}, 500)
    manifest = dataclasses.asdict(Manifest.read(store.folder / id_))
    assert ABOUT.items() <= manifest.items()
    assert (manifest["id"], manifest["documents"]) == (id_, 500)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_neither_tensor_nor_primitive(store: CheckpointStore, value: Any) -> None:
    """A state that could not be restored is refused at once, and leaves no file."""
    with pytest.raises(TypeError, match="neither a tensor nor a primitive"):
        save(store, {"part": {"deep": [value]}})
    assert store.ids() == []
    assert not list(store.folder.glob("*-*"))


def test_keys_with_slashes(store: CheckpointStore) -> None:
    """Tensors under keys with slashes are kept apart."""
    state = {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}}
    id_ = save(store, {"part": state})
    restored = Part()
    restore_checkpoint(store.folder / id_, {"part": restored})
    assert same(restored.state, state)


def test_keys_that_are_not_strings(store: CheckpointStore) -> None:
    """Keys that JSON would change are restored unchanged, or refused."""
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
    """An fsync whose first calls succeed and whose next call fails."""

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
    """Return the state of each checkpoint that the store lists."""
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
    """Wherever writing is interrupted, listed checkpoints are whole and the old one is left."""
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
    """A full disk is an error of one line; the old checkpoint is left, and no draft."""
    first = save(store, {"part": 1})
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FailingSync(passes, full))
        message = refusal(lambda: save(store, {"part": 2}, 2))
    assert os.strerror(errno.ENOSPC) in message
    assert {path.name for path in store.folder.iterdir()} == {first}
    assert restorable(store) == [1]


def test_folder_vanished(store: CheckpointStore) -> None:
    """A folder that was deleted during a run is created again."""
    save(store, {"part": 1})
    shutil.rmtree(store.folder)
    save(store, {"part": 2}, 2)
    assert restorable(store) == [2]


def test_folder_that_became_a_file(store: CheckpointStore) -> None:
    """A folder that is no longer writable is an error of one line."""
    shutil.rmtree(store.folder)
    store.folder.write_text("")
    assert "not written" in refusal(lambda: save(store, {"part": 1}))


def test_failpoints(store: CheckpointStore) -> None:
    """Failpoints are passed when the draft is complete, and when it is renamed."""
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
    """A flipped bit is detected, unless it is whitespace of the manifest."""
    original = Part()
    restore_checkpoint(saved, {"part": original})
    detected = 0
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
            detected += 1
        path.write_bytes(data)
    assert detected > sum(path.stat().st_size for path in saved.iterdir()) / 2


@pytest.mark.parametrize("name", ["manifest.json", "state.json", "tensors.safetensors"])
@pytest.mark.parametrize("keep", [None, 0.0, 0.5, 0.99])
def test_missing_or_truncated_file(saved: Path, name: str, keep: float | None) -> None:
    """A missing, empty or truncated file is an error of one line that names the checkpoint."""
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
    """JSON of another shape is a broken checkpoint."""
    (saved / "manifest.json").write_text(content)
    assert "broken" in refusal(lambda: Manifest.read(saved))


def test_newer_format(saved: Path) -> None:
    """A checkpoint of a newer format is refused with that reason, whatever else is new in it."""
    path = saved / "manifest.json"
    manifest = json.loads(path.read_text()) | {"format": FORMAT + 1, "shards": 4}
    del manifest["manifest_sha256"]  # a newer format may compute its digest in another way
    path.write_text(json.dumps(manifest))
    message = refusal(lambda: restore_checkpoint(saved, {"part": Part()}))
    assert f"format {FORMAT + 1}" in message
    assert f"reads {FORMAT}" in message


def test_missing_part(saved: Path) -> None:
    """A checkpoint without the state of a part is refused."""
    refusal(lambda: restore_checkpoint(saved, {"part": Part(), "drift": Part()}))


def test_another_model(saved: Path) -> None:
    """The error names each difference between the checkpoint's model and this one."""
    manifest = Manifest.read(saved)
    manifest.require_fit(ABOUT["describes"])
    describes = ABOUT["describes"] | {"model": "bert-base-uncased", "layers": None}
    message = refusal(lambda: manifest.require_fit(describes))
    assert (
        "--model is all-MiniLM-L6-v2 in the checkpoint and bert-base-uncased in the options"
        in message
    )
    assert "--layers is 2 in the checkpoint and all in the options" in message
    assert "learner" not in message


# --- the folder ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "left"), [(1, ["2"]), (2, ["1", "2"]), (5, ["0", "1", "2"])])
def test_prune(tmp_path: Path, keep: int, left: list[str]) -> None:
    """The newest checkpoints up to the committed one are kept; newer ones are not touched."""
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


def test_prune_does_not_keep_broken_checkpoints(tmp_path: Path) -> None:
    """Checkpoints marked as broken do not count among those that are kept."""
    store = CheckpointStore(tmp_path, keep=2)
    ids = [save(store, {"part": number}, number) for number in range(3)]
    store.pass_over(ids[1])
    store.prune(ids[2])
    assert restorable(store) == [0, 2]


def test_number_of_an_id(tmp_path: Path) -> None:
    """The number in an id starts again with each number of documents, and keeps its width."""
    store = CheckpointStore(tmp_path, keep=1)
    (tmp_path / "000000000001-999999-00000000").mkdir()
    (tmp_path / "000000000001-999999-00000000" / "manifest.json").touch()
    assert save(store, {"part": 1}, 2) in store.ids()


def test_prune_at_the_same_document(tmp_path: Path) -> None:
    """Checkpoints at the same number of documents stay in order."""
    store = CheckpointStore(tmp_path, keep=2)
    for number in range(8):
        newest = save(store, {"part": number}, 500)
        store.prune(newest)
        assert restorable(store) == [number - 1, number][-(number + 1) :]


def test_newest(tmp_path: Path) -> None:
    """The newest checkpoint of a folder is found; a folder that is a checkpoint is returned."""
    store = CheckpointStore(tmp_path, keep=9)
    ids = [save(store, {"part": n}, n) for n in (7, 1_000_000, 30)]
    assert newest_checkpoint(tmp_path) == tmp_path / ids[1]
    assert newest_checkpoint(tmp_path / ids[2]) == tmp_path / ids[2]


@pytest.mark.parametrize("name", ["empty", "missing", "file"])
def test_no_checkpoint(tmp_path: Path, name: str) -> None:
    """A folder without a checkpoint is an error of one line that names the folder."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert repr(str(tmp_path / name)) in refusal(lambda: newest_checkpoint(tmp_path / name))


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_unwritable_folder(tmp_path: Path, name: str) -> None:
    """A folder that can't be created is an error of one line that names the option."""
    (tmp_path / "file").write_text("")
    message = refusal(CheckpointStore(tmp_path / name, keep=1).create)
    assert "--checkpoint-dir" in message


def test_prune_by_a_fenced_consumer(tmp_path: Path) -> None:
    """A consumer that does not know yet that it is fenced deletes nothing of its successor."""
    store = CheckpointStore(tmp_path, keep=1)
    old = [save(store, {"part": number}, number) for number in range(2)]
    new: list[str] = []

    def write(*, answer: bool) -> bool:
        new.append(save(store, {"part": len(new)}, 2 + len(new)))
        return answer

    # The checkpoint is newer than the list of files.
    store.clear(old[1], Interrupts(fenced=lambda: write(answer=False)))
    assert store.ids() == [*old, *new]
    # The successor has the lease.
    store.clear(old[1], Interrupts(fenced=lambda: write(answer=True)))
    assert store.ids() == [*old, *new]
    store.prune(old[1])
    assert store.ids() == [old[1], *new]
