"""tests/system.sh installs the programs of the system that tests need."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT


def run(*programs: str, folder: Path) -> str:
    """Run the script with only these programs and the shell's, and return its output."""
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


def test_nothing_missing(tmp_path: Path) -> None:
    """If all programs exist, the script does nothing."""
    assert run("promtool", "chromium", folder=tmp_path) == ""


@pytest.mark.parametrize("missing", ["promtool", "chromium"])
def test_missing_program(missing: str, tmp_path: Path) -> None:
    """Without apt-get, the script names the missing package."""
    (present,) = {"promtool", "chromium"} - {missing}
    output = run(present, folder=tmp_path)
    package = {"promtool": "prometheus"}.get(missing, missing)
    assert output.endswith(f"missing: {package}\n")
