"""Results of a benchmark: one JSON file, a cell a line."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.corpus import NewsgroupsCorpus
from newsreel.common.errors import UserError
from newsreel.common.json_file import replace_file

Cell = Mapping[str, Any]

COMPARABLE = {
    "corpus": "copies of the corpus",
    "seed": "seeds",
    "limits": "numbers of documents",
}
"""Fields that must be equal in all cells of a table, with their names in messages."""


class ResultsError(UserError):
    """Results cannot be written, or there are none that can be reported."""


class ResultsFile:
    """Cells of one benchmark in a JSON file, which is rewritten whole after each cell.

    Only one process at a time may write to the file.

    Parameters
    ----------
    path
        JSON file; the first `put` creates it and its folder.
    key
        Names of the fields that identify a cell, such as "row" and "column".
    """

    def __init__(self, path: Path, *key: str) -> None:
        self.path = path
        self._key = key

    def read(self) -> list[Cell]:
        """Return the cells in the order of the file; none if the file does not exist."""
        if not self.path.exists():
            return []
        cells: list[Cell] = json.loads(self.path.read_text())
        return cells

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """Return whether a cell with these fields was measured and not skipped."""
        return any(
            "skipped" not in cell and all(cell[name] == value for name, value in fields.items())
            for cell in self.read()
        )

    def put(self, *cells: Cell) -> None:
        """Write cells: a cell replaces the one with the same key, a new one comes last.

        Raises
        ------
        ResultsError
            The file cannot be written.
        """
        merged = {self._identity(cell): cell for cell in (*self.read(), *cells)}
        lines = ",\n".join(json.dumps(cell) for cell in merged.values())
        _write(self.path, f"[\n{lines}\n]\n")

    def _identity(self, cell: Cell) -> tuple[Any, ...]:
        return tuple(cell[name] for name in self._key)


def conditions(
    corpus: NewsgroupsCorpus, seed: int, libraries: Iterable[str] = machine.LIBRARIES
) -> dict[str, Any]:
    """Return what figures depend on: copy of the corpus, seed, machine, versions of libraries."""
    return {
        "seed": seed,
        "corpus": corpus.summary(),
        "machine": machine.machine(),
        "versions": machine.versions(libraries),
    }


def create_folder(folder: Path) -> None:
    """Create the folder of results.

    Raises
    ------
    ResultsError
        The folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def write(path: Path, value: Mapping[str, Any]) -> None:
    """Write one JSON object to a file of its own.

    Raises
    ------
    ResultsError
        The file cannot be written.
    """
    _write(path, json.dumps(value, indent=1) + "\n")


def require_comparable(cells: Sequence[Cell], path: Path) -> None:
    """Check that there are cells, and that all were measured on the same streams.

    Parameters
    ----------
    path
        File of the cells, for the message.

    Raises
    ------
    ResultsError
        There are no cells, or their corpus, seed or limits differ.
    """
    if not cells:
        raise ResultsError(
            f"{str(path)!r} has no cells; measure some with: python -m benchmarks quality"
        )
    for name, words in COMPARABLE.items():
        if len(distinct(cells, name)) > 1:
            raise ResultsError(
                f"the cells in {str(path)!r} are of different {words}; delete the file, or measure"
                " all cells again with --again"
            )


def distinct(cells: Iterable[Cell], name: str) -> list[Any]:
    """Return the different values of a field."""
    values: list[Any] = []
    for cell in cells:
        if cell[name] not in values:
            values.append(cell[name])
    return values


def _write(path: Path, text: str) -> None:
    create_folder(path.parent)
    try:
        replace_file(path, text)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ResultsError:
    return ResultsError(
        f"cannot write to {str(path)!r} ({error.strerror}); name another folder with --out"
    )
