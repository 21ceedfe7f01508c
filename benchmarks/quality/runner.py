"""Runs cells one after the other, each in a process whose memory and time are its own."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from benchmarks import results
from newsreel.common.errors import UserError

USER_ERROR = 2

log = structlog.get_logger()


class CellError(UserError):
    """A cell could not be measured."""


def run(
    names: Sequence[str],
    columns: Sequence[str],
    folder: Path,
    *,
    seed: int,
    documents: int | None,
    heldout: int | None,
    newsgroups_path: Path | None,
    again: bool,
) -> list[str]:
    """Measure the cells that are not there yet; returns those that crashed.

    Raises
    ------
    CellError
        A cell complained of what only the user can mend, and the others would as well.
    """
    asked = {"seed": seed, "limits": {"documents": documents, "heldout": heldout}}
    options: dict[str, object]
    options = {"--seed": seed, "--documents": documents, "--heldout": heldout}
    options |= {"--newsgroups-path": newsgroups_path}
    given = [f"{flag}={value}" for flag, value in options.items() if value is not None]
    results.prepare(folder)  # hours later would be too late to find that it can't be written
    crashed = []
    for column in columns:
        for name in names:
            file = results.path(folder, name, column)
            if not again and results.is_there(file, asked):
                log.info("cell is there", row=name, column=column)
                continue
            log.info("cell", row=name, column=column)
            command = [sys.executable, "-m", "benchmarks", "cell", name, column, f"--out={file}"]
            code = subprocess.run([*command, *given], check=False).returncode  # noqa: S603
            if code == USER_ERROR:
                raise CellError(f"the cell of {name} and {column} gave up, as said above")
            if code:
                crashed.append(f"{name}.{column}")
    return crashed
