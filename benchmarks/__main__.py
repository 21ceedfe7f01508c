"""``python -m benchmarks COMMAND``: measure quality, throughput, scenarios, arrivals or replay."""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import structlog

from benchmarks import corpus, machine, results
from benchmarks.quality import cell, report, runner, streams
from benchmarks.quality.rows import NAMES, QUICK_NAMES
from benchmarks.quality.streams import STREAMS
from benchmarks.results import ResultsFile
from benchmarks.scenarios.columns import SCENARIOS
from benchmarks.scenarios.rows import ROWS
from benchmarks.settings import (
    ARRIVALS,
    QUESTIONS,
    QUICK_DOCUMENTS,
    QUICK_FOLDER,
    QUICK_HELDOUT,
    RESULTS,
    ArrivalSettings,
    CellSettings,
    MemorySettings,
    QualitySettings,
    ReplaySettings,
    ReportSettings,
    ScenarioSettings,
    ThroughputSettings,
)
from newsreel.common import cli, logs

LOGGED = ("skipped", "heldout_accuracy", "documents_per_second", "peak_rss_mb")
"""Fields of a cell that the log shows."""

log = structlog.get_logger()


def run_quality(argv: Sequence[str]) -> None:
    """Compare learners on streams, then write report and plots of all cells."""
    settings = cli.parse(QualitySettings, argv)
    names = _split(
        "--rows", settings.rows or ",".join(QUICK_NAMES if settings.quick else NAMES), NAMES
    )
    default = "raw" if settings.quick else ",".join(STREAMS)
    columns = _split("--columns", settings.columns or default, STREAMS)
    file = _quality_file(settings.out or (QUICK_FOLDER if settings.quick else RESULTS))
    crashed = runner.run(
        names,
        columns,
        file,
        seed=settings.seed,
        documents=QUICK_DOCUMENTS if settings.quick else None,
        heldout=QUICK_HELDOUT if settings.quick else None,
        newsgroups_path=settings.newsgroups_path,
        again=settings.again,
    )
    _report_quality(file)
    if crashed:
        raise runner.CellError(f"cells crashed, see the log above: {', '.join(crashed)}")


def run_cell(argv: Sequence[str]) -> None:
    """Measure one learner on one stream."""
    settings = cli.parse(CellSettings, argv)
    (name,) = _split("row", settings.row, NAMES)
    (column,) = _split("column", settings.column, STREAMS)
    limits = {"documents": settings.documents, "heldout": settings.heldout}
    copy = corpus.load(settings.newsgroups_path)
    conditions = {
        "row": name,
        "column": column,
        "limits": limits,
        **results.conditions(copy, settings.seed),
    }
    figures = cell.measure(name, STREAMS[column], copy, settings.seed, **limits)
    results.write(settings.out, conditions | figures)
    log.info(
        "measured", row=name, **{field: figures[field] for field in LOGGED if field in figures}
    )


def run_report(argv: Sequence[str]) -> None:
    """Write report and plots of the quality cells measured so far."""
    _report_quality(_quality_file(cli.parse(ReportSettings, argv).out))


def run_throughput(argv: Sequence[str]) -> None:
    """Compare speeds, each with a baseline measured in turns."""
    settings = cli.parse(ThroughputSettings, argv)
    names = _split("--questions", settings.questions, QUESTIONS)
    from benchmarks.throughput import questions  # noqa: PLC0415 - imports torch

    questions.answer(
        names,
        settings.out or (QUICK_FOLDER if settings.quick else RESULTS),
        questions.QUICK if settings.quick else questions.FULL,
        settings.seed,
        settings.newsgroups_path,
    )


def run_scenarios(argv: Sequence[str]) -> None:
    """Compare learners on streams that change."""
    settings = cli.parse(ScenarioSettings, argv)
    names = _split("--rows", settings.rows, ROWS)
    columns = _split("--scenarios", settings.scenarios, SCENARIOS)
    from benchmarks.scenarios import run  # noqa: PLC0415 - imports torch

    run.run(
        names,
        columns,
        settings.out,
        seed=settings.seed,
        documents=settings.documents,
        heldout=settings.heldout,
        newsgroups_path=settings.newsgroups_path,
        again=settings.again,
    )


def run_arrivals(argv: Sequence[str]) -> None:
    """Let documents arrive faster than they can be learned."""
    settings = cli.parse(ArrivalSettings, argv)
    parts = _split("--parts", settings.parts, ARRIVALS)
    from benchmarks.arrivals import run  # noqa: PLC0415 - imports torch

    run.run(
        parts,
        settings.out,
        seed=settings.seed,
        documents=settings.documents,
        heldout=settings.heldout,
        times=settings.times,
        seconds=settings.seconds,
        newsgroups_path=settings.newsgroups_path,
    )


def run_replay(argv: Sequence[str]) -> None:
    """Learn the whole corpus over Kafka, in chronological order and shuffled."""
    settings = cli.parse(ReplaySettings, argv)
    from benchmarks import replay  # noqa: PLC0415 - imports torch

    replay.run(settings.out, settings.seed, settings.newsgroups_path, settings.dates)


def run_memory(argv: Sequence[str]) -> None:
    """Learn documents from memory: one side of the throughput question `streaming`."""
    settings = cli.parse(MemorySettings, argv)
    from benchmarks.throughput import streaming  # noqa: PLC0415 - imports torch

    copy = corpus.load(settings.newsgroups_path)
    documents, _ = streams.make(copy, STREAMS["raw"], settings.seed, settings.documents, 0)
    results.write(settings.summary, streaming.learn_from_memory(documents))


COMMANDS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "quality": run_quality,
    "cell": run_cell,
    "report": run_report,
    "throughput": run_throughput,
    "scenarios": run_scenarios,
    "arrivals": run_arrivals,
    "replay": run_replay,
    "memory": run_memory,
}


def main() -> int:
    """Run the command that the command line names and return its exit code.

    SIGTERM ends the process and the cell that it runs.
    """
    logs.configure()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for name in [name for name in os.environ if name.startswith(machine.FOREIGN)]:
        del os.environ[name]
    command, *arguments = sys.argv[1:] or [""]
    if command in {"-h", "--help"}:
        purposes = {name: (run.__doc__ or "").partition("\n")[0] for name, run in COMMANDS.items()}
        lines = [f"  {name:11} {purpose}" for name, purpose in purposes.items()]
        print("usage: python -m benchmarks COMMAND; each has --help", *lines, sep="\n")  # noqa: T201
        return 0
    if command not in COMMANDS:
        return cli.run("benchmarks", _require_command, arguments)
    return cli.run(f"benchmarks {command}", COMMANDS[command], arguments)


def _require_command(_argv: Sequence[str]) -> None:
    raise cli.UsageError(f"name a command: {', '.join(COMMANDS)}; each has --help")


def _quality_file(folder: Path) -> ResultsFile:
    return ResultsFile(folder / "quality.json", "row", "column")


def _report_quality(file: ResultsFile) -> None:
    from benchmarks.quality import plot  # noqa: PLC0415 - a cell must not pay for matplotlib

    cells = file.read()
    results.require_comparable(cells, file.path)
    folder = file.path.parent
    for column, stream in STREAMS.items():
        measured = [cell for cell in cells if cell["column"] == column and "skipped" not in cell]
        if measured:
            best_first = report.ranked(measured, stream.measure)
            plot.draw(best_first, column, folder / report.plot_name(column))
    table = folder / "report.md"
    table.write_text(report.markdown(cells))
    log.info("reported", table=str(table), cells=len(cells))


def _split(option: str, text: str, known: Iterable[str]) -> list[str]:
    """Split a comma-separated list of names.

    Raises
    ------
    UsageError
        A name is unknown.
    """
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in known:
            raise cli.UsageError(f"{option} {name!r}: known are {', '.join(known)}; see --help")
    return names


if __name__ == "__main__":
    sys.exit(main())
