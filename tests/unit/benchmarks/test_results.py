"""The results file, the report made of it, and the commands that fill it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

from benchmarks import results
from benchmarks.__main__ import main
from benchmarks.quality import report
from benchmarks.results import ResultsError, ResultsFile


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


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run ``python -m benchmarks`` in this process; return exit code and standard error."""

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr("sys.argv", ["benchmarks", *map(str, arguments)])
        try:
            code = main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, capsys.readouterr().err

    return call


def test_best_row_first() -> None:
    """The table is sorted by held-out accuracy; an unknown figure is a dash."""
    text = report.markdown([a_cell("one", 0.7), a_cell("two", 0.8)])
    assert text.index("| two |") < text.index("| one |")
    line = "| two | 80.0% | 20.0% | 70.0% | 75.0% | 65.0% | 1.25 | 1,234.5 | 512 | 1,000,000 | - |"
    assert line in text
    assert "fingerprint f0" in text
    assert "a processor, 2 cores" in text


def test_imbalanced_counts_macro_f1() -> None:
    """The table of the imbalanced stream is sorted by macro-F1."""
    cells = [a_cell(name, share, column="imbalanced") for name, share in (("a", 0.7), ("b", 0.8))]
    text = report.markdown(cells)
    assert text.index("| a |") < text.index("| b |")


def test_skipped_row() -> None:
    """A skipped cell is named with its reason."""
    skipped = a_cell("one", 0.7) | {"skipped": "x is not installed"}
    assert "one is skipped: x is not installed." in report.markdown([skipped])


def test_cells_with_different_seeds(tmp_path: Path) -> None:
    """Cells of different seeds are not put into one table."""
    cells = [a_cell("one", 0.7), a_cell("two", 0.7, seed=1)]
    with pytest.raises(ResultsError, match="different seeds; delete"):
        results.require_comparable(cells, tmp_path / "quality.json")


def test_no_cells(tmp_path: Path) -> None:
    """A report without cells is an error that names the command to run."""
    with pytest.raises(ResultsError, match="python -m benchmarks quality"):
        results.require_comparable([], tmp_path / "quality.json")


def test_holds(tmp_path: Path) -> None:
    """A cell counts as measured if its fields are as wanted and it was not skipped."""
    file = ResultsFile(tmp_path / "out" / "quality.json", "row", "column")
    wanted = {"row": "one", "column": "raw", "seed": 0}
    assert not file.holds(wanted)
    file.put(a_cell("one", 0.7))
    assert file.holds(wanted)
    assert not file.holds(wanted | {"seed": 1})
    assert not file.holds(wanted | {"row": "two"})
    file.put(a_cell("one", 0.7, skipped="no"))
    assert not file.holds(wanted)


def test_a_cell_is_a_line(tmp_path: Path) -> None:
    """Each cell is a line of the file; a new measurement takes the line of the old one."""
    file = ResultsFile(tmp_path / "quality.json", "row", "column")
    file.put(a_cell("one", 0.5), a_cell("two", 0.6))
    file.put(a_cell("three", 0.7))
    before = file.path.read_text().splitlines()
    assert len(before) == 5
    file.put(a_cell("two", 0.8))
    after = file.path.read_text().splitlines()
    assert [cell["row"] for cell in file.read()] == ["one", "two", "three"]
    assert [old == new for old, new in zip(before, after, strict=True)] == [
        *(True, True, False, True, True)
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["quality.json"]


def test_unwritable_folder(tmp_path: Path) -> None:
    """A folder that cannot be created is an error that names the option to change."""
    (tmp_path / "file").touch()
    file = ResultsFile(tmp_path / "file" / "quality.json", "row", "column")
    with pytest.raises(ResultsError, match=r"cannot write to .*--out"):
        file.put(a_cell("one", 0.7))


def test_quality(tmp_path: Path, posts: Path, run: Callable[..., tuple[int, str]]) -> None:
    """The command measures each cell once, and writes a report and plots."""
    out = tmp_path / "results"
    command = ("quality", "--rows=sklearn-sgd,linear-svc", "--columns=raw", f"--out={out}")
    code, log = run(*command, f"--newsgroups-path={posts}")
    assert code == 0, log
    assert sorted(file.name for file in out.iterdir()) == [
        *("accuracy-raw.svg", "quality.json", "report.md"),
    ]
    cell, _ = json.loads((out / "quality.json").read_text())
    assert cell["row"] == "sklearn-sgd"
    assert cell["documents"] == 40
    assert cell["peak_rss_mb"] > 0
    assert cell["versions"]["scikit-learn"]
    assert str(tmp_path) not in (out / "report.md").read_text()
    code, log = run(*command, f"--newsgroups-path={posts}")
    assert log.count("cell is measured already") == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            (),
            "benchmarks: name a command: quality, cell, report, throughput, scenarios, ",
        ),
        (("quality", "--rows=x"), "benchmarks quality: --rows 'x': known are newsreel"),
        (("cell", "linear-svc", "raw"), "benchmarks cell: --out (or BENCHMARKS_OUT) is required"),
        (("report", "--out=nowhere"), "benchmarks report: 'nowhere/quality.json' has no cells"),
    ],
)
def test_wrong_arguments(
    arguments: tuple[str, ...], complaint: str, run: Callable[..., tuple[int, str]]
) -> None:
    """A wrong argument is one line of error and exit code 2."""
    code, error = run(*arguments)
    assert code == 2
    assert error.startswith(complaint)
    assert len(error.splitlines()) == 1


def test_no_corpus(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing corpus ends the benchmark at the first cell, which names the error."""
    path = tmp_path / "x.tar.gz"
    argv = ["benchmarks", "quality", f"--out={tmp_path}", f"--newsgroups-path={path}"]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", argv)
    assert main() == 2
    error = capfd.readouterr().err
    assert "can't be read" in error or "cannot be read" in error
    assert "no cell can be measured" in error
    assert error.count("[info") == 1
