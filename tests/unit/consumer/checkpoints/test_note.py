"""The note of the checkpoint that was committed last."""

from pathlib import Path

import pytest

from consumer.checkpoints.note import NOTE, last_noted, note_committed


@pytest.mark.parametrize(("id_", "noted"), [("000000000010-000001-0000000a", None), (None, "")])
def test_note(tmp_path: Path, id_: str | None, noted: str | None) -> None:
    """A note says which checkpoint was committed, or that none was."""
    assert last_noted(tmp_path) is None
    note_committed(tmp_path, id_)
    assert last_noted(tmp_path) == (id_ if noted is None else noted)


@pytest.mark.parametrize("content", ["", "{", "7", "\ufffd"])
def test_damaged_note(tmp_path: Path, content: str) -> None:
    """A note that can't be read counts as none."""
    (tmp_path / NOTE).write_text(content)
    assert last_noted(tmp_path) is None


def test_folder_that_can_not_be_written_to(tmp_path: Path) -> None:
    """A note that can't be written is no error; an older one does not stay."""
    note_committed(tmp_path / "missing", "id")
    note_committed(tmp_path, "old")
    (tmp_path / NOTE).unlink()
    (tmp_path / NOTE).mkdir()  # can't be replaced by a file
    note_committed(tmp_path, "new")
    assert last_noted(tmp_path) is None
