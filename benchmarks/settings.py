"""What can be chosen about a benchmark."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, CliPositionalArg, SettingsConfigDict

from benchmarks.quality.rows import NAMES
from benchmarks.quality.streams import STREAMS
from benchmarks.scenarios.columns import SCENARIOS
from benchmarks.scenarios.rows import ROWS as SCENARIO_ROWS

RESULTS = Path("benchmarks/results")

QUICK_DOCUMENTS = 1000

QUICK_HELDOUT = 500

ARRIVALS = ("rates", "overload")

QUESTIONS = ("publishing", "streaming", "committing", "serving", "watching", "learning", "scaling")

_ALIAS = AliasChoices("newsgroups-path", "NEWSGROUPS_PATH")

_PATH = (
    "raw 20 Newsgroups, as 'bydate' folder or .tar.gz; if not given, the copy the producer finds"
)


def _config(program: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix="BENCHMARKS_",
        cli_prog_name=f"python -m benchmarks {program}",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_implicit_flags=True,
    )


class QualitySettings(BaseSettings):
    """Compare learners on streams of 20 Newsgroups; each cell runs in a process of its own.

    Cells that are there already are kept, so that a benchmark can be stopped and gone on with.
    """

    model_config = _config("quality")

    quick: bool = Field(
        False,
        description=f"stream the first {QUICK_DOCUMENTS:,} documents, examine on"
        f" {QUICK_HELDOUT:,}; unless --columns says otherwise, on the raw stream only",
    )
    rows: str | None = Field(
        None,
        description=f"learners to compare, some of {','.join(NAMES)}; if not given, all, but for"
        " --quick without the slowest and the ablations",
    )
    columns: str | None = Field(
        None, description=f"streams to compare on, some of {','.join(STREAMS)}; all if not given"
    )
    out: Path | None = Field(
        None, description=f"folder of results; {RESULTS}, or {RESULTS / 'quick'} for --quick"
    )
    again: bool = Field(False, description="measure cells again that are there already")
    seed: int = Field(0, ge=0, description="of the order of documents, and of learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class CellSettings(BaseSettings):
    """Measure one learner on one stream."""

    model_config = _config("cell")

    row: CliPositionalArg[str] = Field(description=f"one of {','.join(NAMES)}")
    column: CliPositionalArg[str] = Field(description=f"one of {','.join(STREAMS)}")
    out: Path = Field(description="JSON file to write")
    documents: int | None = Field(None, ge=1, description="documents to stream; all if not given")
    heldout: int | None = Field(None, ge=1, description="documents to examine on; all if not given")
    seed: int = Field(0, ge=0, description="of the order of documents, and of learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class ScenarioSettings(BaseSettings):
    """Compare learners on streams that change; cells that are there already are kept."""

    model_config = _config("scenarios")

    rows: str = Field(
        ",".join(SCENARIO_ROWS), description="learners to compare, comma-separated: some of these"
    )
    scenarios: str = Field(",".join(SCENARIOS), description="streams to compare on: some of these")
    out: Path = Field(RESULTS / "scenarios", description="folder of results")
    again: bool = Field(False, description="measure cells again that are there already")
    documents: int | None = Field(None, ge=1, description="documents to stream; all if not given")
    heldout: int | None = Field(None, ge=1, description="documents to examine on; all if not given")
    seed: int = Field(0, ge=0, description="of scenarios and learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class ArrivalSettings(BaseSettings):
    """Let documents arrive faster than they can be learned.

    rates: accuracy against the rate of arrival, in time that is counted and not waited for, of
    learners with more and less replay; overload: the consumer over Kafka, with more arriving than
    it can learn for some minutes, and what becomes of what waits, of memory and of accuracy.
    """

    model_config = _config("arrivals")

    parts: str = Field(
        ",".join(ARRIVALS), description="what to measure, comma-separated: some of these"
    )
    out: Path = Field(RESULTS / "arrivals", description="folder of results")
    documents: int | None = Field(
        None, ge=1, description="documents of a pass over the corpus; all if not given"
    )
    heldout: int = Field(2000, ge=1, description="documents to examine on")
    times: float = Field(2, gt=0, allow_inf_nan=False, description="overload, by what is learned")
    seconds: float = Field(600, gt=0, allow_inf_nan=False, description="how long that lasts")
    seed: int = Field(0, ge=0, description="of the order of documents, and of learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class ReplaySettings(BaseSettings):
    """Learn both splits of the corpus over Kafka, in order of time and, for comparison, shuffled.

    It uses an embedded Kafka, or the one that KAFKA_BOOTSTRAP_SERVERS names.
    """

    model_config = _config("replay")

    out: Path = Field(RESULTS / "replay", description="folder of results")
    seed: int = Field(0, ge=0, description="of the order of documents")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)
    dates: Path | None = Field(
        None,
        description="when documents were written, as --dates of the producer; if not given,"
        " they come by the numbers that their ids end with",
    )


class ReportSettings(BaseSettings):
    """Make table and plots of the cells that are there."""

    model_config = _config("report")

    out: Path = Field(RESULTS, description="folder of results")


class ThroughputSettings(BaseSettings):
    """Compare speeds, both sides of a comparison in turns; the ratios are what counts.

    publishing: the producer and a bare Kafka client, 7 rounds of 8,000 documents; streaming: the
    consumer over Kafka and its learner fed from memory, 3 rounds of 5,024; committing: the consumer
    with and without commits in mid-stream, 2 rounds of 11,264; serving: the consumer with and
    without a client that asks for predictions, 3 rounds of 2,016; watching: the consumer with and
    without the evaluator and the page beside it, 3 rounds of 3,200; learning: the default settings,
    encoding alone and a plain loop, 9 rounds of 64; scaling: the cost of a document as the replay
    buffer fills and labels are discovered, 11 rounds of 64. On two cores it takes about an hour, a
    quarter of that for committing; with --quick 4 to 6, for 3 rounds of 3,000, 1 of 192, 1 of 640,
    1 of 320, 1 of 1,280, 2 of 64 and 2 of 64. It uses an embedded Kafka, or the one that
    KAFKA_BOOTSTRAP_SERVERS names.
    """

    model_config = _config("throughput")

    quick: bool = Field(False, description="fewer documents and rounds, so wider ranges")
    questions: str = Field(
        ",".join(QUESTIONS), description="what to measure, comma-separated: some of these"
    )
    out: Path | None = Field(
        None, description=f"folder of results; {RESULTS}, or {RESULTS / 'quick'} for --quick"
    )
    seed: int = Field(0, ge=0, description="of the order of documents")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class MemorySettings(BaseSettings):
    """Learn from memory as the consumer would over Kafka, with its default settings."""

    model_config = _config("memory")

    summary: Path = Field(description="file to write the results to, as JSON")
    documents: int = Field(1024, ge=1, description="documents to learn")
    seed: int = Field(0, ge=0, description="of the order of documents")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)
