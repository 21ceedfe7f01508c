"""The fault trials in short: a few of them with small numbers."""

from pathlib import Path

from helpers import Run


def test_short_trials(run: Run, tmp_path: Path) -> None:
    """After kills, malformed records and damaged checkpoints no document is lost or repeated."""
    result = run(
        "chaos",
        *("--only", "one-partition,four-partitions,malformed,fuzz", "--folder", tmp_path),
        *("--documents", 256, "--kills", 3, "--malformed", 200, "--mutations", 30),
        *("--format", "json-registry"),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("pass") == 4
    assert "FAIL" not in result.stdout


def test_unknown_trial(run: Run, tmp_path: Path) -> None:
    """An unknown trial is an error that names the known trials."""
    result = run("chaos", "--only", "flood", "--folder", tmp_path)
    assert result.returncode == 2
    assert "no trial is called flood; choose some of one-partition" in result.stderr
