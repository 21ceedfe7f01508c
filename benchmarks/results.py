"""The folder of results: one JSON file for each cell."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.corpus import Corpus
from newsreel.common.errors import UserError

Cell = Mapping[str, Any]

ONE_RUN = {
    "corpus": "copies of the corpus",
    "seed": "seeds",
    "limits": "numbers of documents",
}
"""What cells must have in common to be compared."""


class ResultsError(UserError):
    """The folder of results can't be written, or holds nothing that can be reported."""


def about(copy: Corpus, seed: int) -> dict[str, Any]:
    """Return how figures are made: of which copy of the corpus, by which seed, where, with what."""
    return {
        "seed": seed,
        "corpus": copy.about(),
        "machine": machine.machine(),
        "versions": machine.versions(),
    }


def path(folder: Path, row: str, column: str) -> Path:
    """Return where the cell of a row and a column is."""
    return folder / f"{row}.{column}.json"


def is_there(file: Path, asked: Mapping[str, Any]) -> bool:
    """Tell whether a cell was measured as it is asked for now, and not skipped."""
    if not file.exists():
        return False
    cell = json.loads(file.read_text())
    return "skipped" not in cell and all(cell[name] == value for name, value in asked.items())


def prepare(folder: Path) -> None:
    """Create the folder of results.

    Raises
    ------
    ResultsError
        It can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(
            f"can't write to {str(folder)!r} ({error.strerror}); name another place with --out"
        ) from error


def write(file: Path, cell: Cell) -> None:
    """Write a cell, whole or not at all.

    Raises
    ------
    ResultsError
        The folder can't be written.
    """
    prepare(file.parent)
    try:
        unfinished = file.with_suffix(".part")
        unfinished.write_text(json.dumps(cell, indent=1) + "\n")
        unfinished.replace(file)
    except OSError as error:
        raise ResultsError(
            f"can't write {str(file)!r} ({error.strerror}); name another place with --out"
        ) from error


def read(folder: Path) -> list[Cell]:
    """Read all cells of a folder, which must be of one benchmark.

    Raises
    ------
    ResultsError
        There are none, or they can't be compared.
    """
    cells = [json.loads(file.read_text()) for file in sorted(folder.glob("*.*.json"))]
    if not cells:
        raise ResultsError(
            f"{str(folder)!r} has no cells; make some with: python -m benchmarks quality"
        )
    for name, words in ONE_RUN.items():
        if len(distinct(cells, name)) > 1:
            raise ResultsError(
                f"the cells in {str(folder)!r} are of different {words}; delete those of one, or"
                " measure all again with --again"
            )
    return cells


def distinct(cells: Sequence[Cell], name: str) -> list[Any]:
    """Return the different values that cells have of something."""
    values: list[Any] = []
    for cell in cells:
        if cell[name] not in values:
            values.append(cell[name])
    return values
