"""Where a group begins in the topic of labels is kept until its first checkpoint."""

from pathlib import Path

import pytest

from consumer.commit.first_labels import NOTE, first_labels


def first(folder: Path, at: int, group: str = "g", *, begun: bool) -> int:
    return first_labels(folder, group, "t.labels", lambda: {0: at}, begun=begun)[0]


def test_first_answer_stands(tmp_path: Path) -> None:
    """A group that has begun goes on where it began; a new group begins where it is asked to."""
    assert first(tmp_path, 5, begun=False) == 5
    assert first(tmp_path, 9, begun=True) == 5
    assert first(tmp_path, 9, begun=False) == 9
    assert first(tmp_path, 12, begun=True) == 9


def test_another_group(tmp_path: Path) -> None:
    """The note of another group does not count."""
    first(tmp_path, 5, begun=False)
    assert first(tmp_path, 9, "other", begun=True) == 9


@pytest.mark.parametrize("content", ["", "7", "{}", '{"group": "g", "topic": "t.labels"}'])
def test_damaged_note(tmp_path: Path, content: str) -> None:
    """A note that can't be read counts as none."""
    (tmp_path / NOTE).write_text(content)
    assert first(tmp_path, 9, begun=True) == 9


def test_folder_that_can_not_be_written_to(tmp_path: Path) -> None:
    """A note that can't be written is no error."""
    assert first(tmp_path / "missing", 9, begun=False) == 9
