"""tests/system.sh: the system's programs that tests need."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT


def run(*programs: str, folder: Path) -> str:
    """Run it where there are only these programs and the shell's; returns what it says."""
    for program in ("sh", "id", *programs):
        (folder / program).symlink_to(shutil.which(program) or shutil.which("true") or os.devnull)
    done = subprocess.run(
        ["sh", ROOT / "tests" / "system.sh"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_nothing_is_done_where_nothing_is_missing(tmp_path: Path) -> None:
    """`make test` loses no time with it."""
    assert run("promtool", "chromium", folder=tmp_path) == ""


@pytest.mark.parametrize("missing", ["promtool", "chromium"])
def test_what_can_not_be_had_is_named(missing: str, tmp_path: Path) -> None:
    """Without apt-get, tests go on without those of the missing program."""
    (there,) = {"promtool", "chromium"} - {missing}
    said = run(there, folder=tmp_path)
    package = {"promtool": "prometheus"}.get(missing, missing)
    assert said.endswith(f"for want of: {package}\n")
