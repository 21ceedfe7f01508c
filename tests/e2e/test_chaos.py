"""The fault harness, in short: what it shows at length must hold each time."""

from pathlib import Path

from helpers import Run


def test_faults_leave_no_trace(run: Run, tmp_path: Path) -> None:
    """Killed, fed with rubbish or damaged: nothing is lost, doubled or changed."""
    result = run(
        "chaos",
        *("--only", "one-partition,four-partitions,malformed,fuzz", "--folder", tmp_path),
        *("--documents", 256, "--kills", 3, "--malformed", 200, "--mutations", 30),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("pass") == 4
    assert "FAIL" not in result.stdout


def test_an_unknown_trial_is_named(run: Run, tmp_path: Path) -> None:
    """What can be chosen is told."""
    result = run("chaos", "--only", "flood", "--folder", tmp_path)
    assert result.returncode == 2
    assert "no trial is called flood; choose some of one-partition" in result.stderr
