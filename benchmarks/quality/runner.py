"""Measure cells one after the other, each in a process with its own memory and time."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog

from benchmarks import results
from benchmarks.results import ResultsFile
from newsreel.common.errors import USER_ERROR, UserError

log = structlog.get_logger()


class CellError(UserError):
    """A cell could not be measured."""


def run(
    names: Sequence[str],
    columns: Sequence[str],
    file: ResultsFile,
    *,
    seed: int,
    documents: int | None,
    heldout: int | None,
    newsgroups_path: Path | None,
    again: bool,
) -> list[str]:
    """Measure the cells that the file does not hold yet; return the names of those that crashed.

    Raises
    ------
    CellError
        A cell ended with an error that the user must mend and that all cells would have.
    """
    limits = {"documents": documents, "heldout": heldout}
    options = {**limits, "seed": seed, "newsgroups-path": newsgroups_path}
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    results.create_folder(file.path.parent)  # a folder that is not writable ends the run now
    crashed = []
    for column in columns:
        for name in names:
            wanted = {"row": name, "column": column, "seed": seed, "limits": limits}
            if not again and file.holds(wanted):
                log.info("cell is measured already", row=name, column=column)
                continue
            log.info("cell", row=name, column=column)
            with tempfile.TemporaryDirectory(prefix="newsreel-") as folder:
                part = Path(folder) / "cell.json"
                command = [sys.executable, "-m", "benchmarks", "cell", name, column]
                code = subprocess.run(  # noqa: S603 - this program
                    [*command, f"--out={part}", *given], check=False
                ).returncode
                if code == USER_ERROR:
                    raise CellError(f"no cell can be measured: see the error of {name} above")
                if code:
                    crashed.append(f"{name}.{column}")
                else:
                    file.put(json.loads(part.read_text()))
    return crashed
