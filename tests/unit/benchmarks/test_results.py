"""The folder of results, what is made of it, and the command line that fills it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

from benchmarks import results
from benchmarks.quality import report
from benchmarks.results import ResultsError


def a_cell(row: str, heldout: float, **changes: Any) -> dict[str, Any]:
    return {
        "row": row,
        "column": "raw",
        "seed": 0,
        "limits": {"documents": None, "heldout": None},
        "corpus": {"copy": "a copy", "train": 3000, "test": 200, "fingerprint": "f0"},
        "machine": {"cpu": "a processor", "cores": 2, "memory_gb": 8.0},
        "versions": {"python": "3.11"},
        "documents": 3000,
        "heldout_documents": 200,
        "labels": 20,
        "prequential_accuracy": 0.7,
        "prequential_accuracy_last_2000": 0.75,
        "prequential_macro_f1": 0.65,
        "prequential_log_loss": 1.25,
        "documents_per_second": 1234.5,
        "heldout_accuracy": heldout,
        "heldout_macro_f1": 1 - heldout,
        "heldout_log_loss": None,
        "peak_rss_mb": 512.3,
        "parameters": 1000000,
        "checkpoint_bytes": None,
        "settings": {"rate": 0.5},
        **changes,
    }


def benchmarks(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_best_row_first() -> None:
    """The table is sorted by held-out accuracy; what isn't known is a dash."""
    text = report.markdown([a_cell("one", 0.7), a_cell("two", 0.8)])
    assert text.index("| two |") < text.index("| one |")
    line = "| two | 80.0% | 20.0% | 70.0% | 75.0% | 65.0% | 1.25 | 1,234.5 | 512 | 1,000,000 | - |"
    assert line in text
    assert "fingerprint f0" in text
    assert "a processor, 2 cores" in text


def test_imbalanced_counts_macro_f1() -> None:
    """What counts of the imbalanced stream is macro-F1."""
    cells = [a_cell(name, share, column="imbalanced") for name, share in (("a", 0.7), ("b", 0.8))]
    text = report.markdown(cells)
    assert text.index("| a |") < text.index("| b |")


def test_skipped_row() -> None:
    """A skipped cell is named with its reason."""
    skipped = a_cell("one", 0.7) | {"skipped": "x is not installed"}
    assert "one is skipped: x is not installed." in report.markdown([skipped])


def test_cells_of_one_benchmark(tmp_path: Path) -> None:
    """Cells that can't be compared are not put into one table."""
    results.write(results.path(tmp_path, "one", "raw"), a_cell("one", 0.7))
    results.write(results.path(tmp_path, "two", "raw"), a_cell("two", 0.7, seed=1))
    with pytest.raises(ResultsError, match="different seeds; delete"):
        results.read(tmp_path)


def test_no_cells(tmp_path: Path) -> None:
    """An empty folder is a mistake that can be mended."""
    with pytest.raises(ResultsError, match="python -m benchmarks quality"):
        results.read(tmp_path)


def test_kept_cells(tmp_path: Path) -> None:
    """A cell is kept if it was measured as asked for; a skipped one is tried again."""
    file = results.path(tmp_path, "one", "raw")
    assert not results.is_there(file, {"seed": 0})
    results.write(file, a_cell("one", 0.7))
    assert results.is_there(file, {"seed": 0})
    assert not results.is_there(file, {"seed": 1})
    results.write(file, a_cell("one", 0.7, skipped="no"))
    assert not results.is_there(file, {"seed": 0})


def test_quality(tmp_path: Path, posts: Path) -> None:
    """The command measures, reports and plots; the second time it keeps what is there."""
    out = tmp_path / "results"
    command = ("quality", "--rows=sklearn-sgd,linear-svc", "--columns=raw", f"--out={out}")
    first = benchmarks(*command, NEWSGROUPS_PATH=str(posts))
    assert first.returncode == 0, first.stderr
    assert sorted(file.name for file in out.iterdir()) == [
        "accuracy-raw.svg",
        "linear-svc.raw.json",
        "report.md",
        "sklearn-sgd.raw.json",
    ]
    cell = json.loads((out / "sklearn-sgd.raw.json").read_text())
    assert cell["documents"] == 40
    assert cell["peak_rss_mb"] > 0
    assert cell["versions"]["scikit-learn"]
    assert str(tmp_path) not in (out / "report.md").read_text()
    second = benchmarks(*command, NEWSGROUPS_PATH=str(posts))
    assert second.stderr.count("cell is there") == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            (),
            "benchmarks: name what to do: quality, cell, report, throughput, scenarios, ",
        ),
        (("quality", "--rows=x"), "benchmarks quality: --rows 'x': known are newsreel"),
        (("cell", "linear-svc", "raw"), "benchmarks cell: --out (or BENCHMARKS_OUT) is required"),
        (("report", "--out=nowhere"), "benchmarks report: 'nowhere' has no cells"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], complaint: str) -> None:
    """A mistake is one line and exit code 2."""
    ended = benchmarks(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith(complaint)
    assert len(ended.stderr.splitlines()) == 1


def test_no_corpus(tmp_path: Path) -> None:
    """What no cell can do without ends the benchmark at the first."""
    ended = benchmarks("quality", f"--out={tmp_path}", NEWSGROUPS_PATH=str(tmp_path / "x.tar.gz"))
    assert ended.returncode == 2
    assert "can't be read" in ended.stderr
    assert "gave up, as said above" in ended.stderr
    assert ended.stderr.count("[info") == 1
