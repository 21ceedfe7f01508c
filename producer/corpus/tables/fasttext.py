"""Rows of a file of fastText: ``__label__x`` before the text of each line."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from producer.corpus.tables import encodings
from producer.corpus.tables.rows import BadRow, Row

PREFIX = "__label__"


class FastTextRows:
    """The rows of a file of fastText.

    Parameters
    ----------
    path
        Path of the file.
    encoding
        Name of its codec.
    """

    place = "line"

    names = ("text", "label")

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self.description = f"fastText, {encoding}"

    def sample(self) -> Sequence[Sequence[Any]]:
        """Return nothing: the names say what the columns hold."""
        return ()

    def read(self, wanted: Sequence[int]) -> Iterator[Row]:
        """Stream the cells of some columns, which are given by their places in `names`."""
        for number, line in enumerate(encodings.lines(self._path, self._encoding), 1):
            if not line.strip():
                continue
            words = line.split()
            labels = [word for word in words if word.startswith(PREFIX)]
            if encodings.UNDECODABLE.search(line):
                yield number, BadRow(encodings.not_encoded(self._encoding))
            elif len(labels) > 1:
                yield number, BadRow(f"{len(labels)} labels; newsreel learns one")
            else:
                label = labels[0].removeprefix(PREFIX) if labels else ""
                text = line.replace(labels[0], "", 1).strip() if labels else line.strip()
                cells = (text, label)
                yield number, [cells[place] for place in wanted]


def fits(path: Path, encoding: str) -> bool:
    """Return whether the first lines of a file begin with labels of fastText."""
    lines = [line for line in islice(encodings.lines(path, encoding), 20) if line.strip()]
    return bool(lines) and all(line.startswith(PREFIX) for line in lines)
