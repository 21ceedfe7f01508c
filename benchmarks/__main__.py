"""``python -m benchmarks``: measures quality in cells, and throughput in comparisons."""

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
from benchmarks.scenarios.columns import SCENARIOS
from benchmarks.scenarios.rows import ROWS
from benchmarks.settings import (
    ARRIVALS,
    QUESTIONS,
    QUICK_DOCUMENTS,
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

log = structlog.get_logger()


def quality(argv: Sequence[str]) -> None:
    """Measure what is asked for and not there yet, then report on all that is there."""
    settings = cli.parse(QualitySettings, argv)
    names = _chosen(
        "--rows", settings.rows or ",".join(QUICK_NAMES if settings.quick else NAMES), NAMES
    )
    usual = "raw" if settings.quick else ",".join(STREAMS)
    columns = _chosen("--columns", settings.columns or usual, STREAMS)
    folder = settings.out or (RESULTS / "quick" if settings.quick else RESULTS)
    crashed = runner.run(
        names,
        columns,
        folder,
        seed=settings.seed,
        documents=QUICK_DOCUMENTS if settings.quick else None,
        heldout=QUICK_HELDOUT if settings.quick else None,
        newsgroups_path=settings.newsgroups_path,
        again=settings.again,
    )
    _report(folder)
    if crashed:
        raise runner.CellError(f"these cells crashed, as said above: {', '.join(crashed)}")


def measure(argv: Sequence[str]) -> None:
    """Measure one cell."""
    settings = cli.parse(CellSettings, argv)
    (name,) = _chosen("row", settings.row, NAMES)
    (column,) = _chosen("column", settings.column, STREAMS)
    documents, heldout = settings.documents, settings.heldout
    copy = corpus.load(settings.newsgroups_path)
    figures = cell.measure(name, STREAMS[column], copy, settings.seed, documents, heldout)
    about = {
        "row": name,
        "column": column,
        "limits": {"documents": documents, "heldout": heldout},
        **results.about(copy, settings.seed),
    }
    results.write(settings.out, about | figures)
    told = ("skipped", "heldout_accuracy", "documents_per_second", "peak_rss_mb")
    log.info("measured", row=name, **{it: figures[it] for it in told if it in figures})


def tell(argv: Sequence[str]) -> None:
    """Report on the cells that are there."""
    _report(cli.parse(ReportSettings, argv).out)


def throughput(argv: Sequence[str]) -> None:
    """Compare speeds."""
    settings = cli.parse(ThroughputSettings, argv)
    names = _chosen("--questions", settings.questions, QUESTIONS)
    from benchmarks.throughput import questions  # noqa: PLC0415 - nor for torch

    questions.ask(
        names,
        settings.out or (RESULTS / "quick" if settings.quick else RESULTS),
        questions.QUICK if settings.quick else questions.FULL,
        settings.seed,
        settings.newsgroups_path,
    )


def scenarios(argv: Sequence[str]) -> None:
    """Compare learners on streams that change."""
    settings = cli.parse(ScenarioSettings, argv)
    names = _chosen("--rows", settings.rows, ROWS)
    columns = _chosen("--scenarios", settings.scenarios, SCENARIOS)
    from benchmarks.scenarios import run  # noqa: PLC0415 - nor for torch

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


def arrivals(argv: Sequence[str]) -> None:
    """Let more arrive than can be learned."""
    settings = cli.parse(ArrivalSettings, argv)
    parts = _chosen("--parts", settings.parts, ARRIVALS)
    from benchmarks.arrivals import run  # noqa: PLC0415 - nor for torch

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


def replay(argv: Sequence[str]) -> None:
    """Learn the whole corpus over Kafka, in order of time and shuffled."""
    settings = cli.parse(ReplaySettings, argv)
    from benchmarks import replay as both  # noqa: PLC0415 - nor for torch

    both.run(settings.out, settings.seed, settings.newsgroups_path, settings.dates)


def memory(argv: Sequence[str]) -> None:
    """Learn from memory."""
    settings = cli.parse(MemorySettings, argv)
    from benchmarks.throughput import streaming  # noqa: PLC0415 - nor for torch

    copy = corpus.load(settings.newsgroups_path)
    documents, _ = streams.make(copy, STREAMS["raw"], settings.seed, settings.documents, 0)
    results.write(settings.summary, streaming.from_memory(documents))


def _report(folder: Path) -> None:
    from benchmarks.quality import plot  # noqa: PLC0415 - a cell must not pay for matplotlib

    cells = results.read(folder)
    for column, stream in STREAMS.items():
        measured = [it for it in cells if it["column"] == column and "skipped" not in it]
        if measured:
            best_first = report.ranked(measured, stream.measure)
            plot.draw(best_first, column, folder / report.plot_name(column))
    table = folder / "report.md"
    table.write_text(report.markdown(cells))
    log.info("reported", table=str(table), cells=len(cells))


def _chosen(option: str, given: str, known: Iterable[str]) -> list[str]:
    """Split a list of names; each must be known."""
    names = list(dict.fromkeys(given.split(",")))
    for name in names:
        if name not in known:
            raise cli.UsageError(f"{option} {name!r}: known are {', '.join(known)}; see --help")
    return names


COMMANDS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "quality": quality,
    "cell": measure,
    "report": tell,
    "throughput": throughput,
    "scenarios": scenarios,
    "arrivals": arrivals,
    "replay": replay,
    "memory": memory,
}


def _explain(_argv: Sequence[str]) -> None:
    raise cli.UsageError(f"name what to do: {', '.join(COMMANDS)}; each has --help")


def main() -> int:
    """Run what the command line asks for; on SIGTERM the cell that runs ends as well."""
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
        return cli.run("benchmarks", _explain, arguments)
    return cli.run(f"benchmarks {command}", COMMANDS[command], arguments)


if __name__ == "__main__":
    sys.exit(main())
