"""Command-line options of the benchmarks."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, CliPositionalArg, SettingsConfigDict

from benchmarks.quality.rows import NAMES
from benchmarks.quality.streams import STREAMS
from benchmarks.scenarios.columns import SCENARIOS
from benchmarks.scenarios.rows import ROWS as SCENARIO_ROWS

RESULTS = Path("benchmarks/results")

QUICK_FOLDER = RESULTS / "quick"

QUICK_DOCUMENTS = 1000

QUICK_HELDOUT = 500

ARRIVALS = ("rates", "overload")

USUAL = (
    *("publishing", "streaming", "committing", "serving", "watching", "learning", "scaling"),
    "partitions",
)

QUESTIONS = (*USUAL, "brokers")

_ALIAS = AliasChoices("newsgroups-path", "NEWSGROUPS_PATH")

_PATH = (
    "raw 20 Newsgroups, as 'bydate' folder or .tar.gz; by default, the copy that the producer finds"
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

    Cells measured before are kept, so that a benchmark can be stopped and continued.
    """

    model_config = _config("quality")

    quick: bool = Field(
        False,
        description=f"stream the first {QUICK_DOCUMENTS:,} documents, evaluate on"
        f" {QUICK_HELDOUT:,}; without --columns, on the raw stream only",
    )
    rows: str | None = Field(
        None,
        description=f"learners to compare, some of {','.join(NAMES)}; by default all, with"
        " --quick all but the slowest and the ablations",
    )
    columns: str | None = Field(
        None, description=f"streams to compare on, some of {','.join(STREAMS)}; by default all"
    )
    out: Path | None = Field(
        None, description=f"folder of results; by default {RESULTS}, with --quick {QUICK_FOLDER}"
    )
    again: bool = Field(False, description="measure again the cells measured before")
    seed: int = Field(0, ge=0, description="seed of the order of documents and of learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class CellSettings(BaseSettings):
    """Measure one learner on one stream."""

    model_config = _config("cell")

    row: CliPositionalArg[str] = Field(description=f"one of {','.join(NAMES)}")
    column: CliPositionalArg[str] = Field(description=f"one of {','.join(STREAMS)}")
    out: Path = Field(description="JSON file for the cell")
    documents: int | None = Field(None, ge=1, description="documents to stream; by default all")
    heldout: int | None = Field(None, ge=1, description="held-out documents; by default all")
    seed: int = Field(0, ge=0, description="seed of the order of documents and of learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class ScenarioSettings(BaseSettings):
    """Compare learners on streams that change; cells measured before are kept."""

    model_config = _config("scenarios")

    rows: str = Field(",".join(SCENARIO_ROWS), description="learners to compare, comma-separated")
    scenarios: str = Field(
        ",".join(SCENARIOS), description="streams to compare on, comma-separated"
    )
    out: Path = Field(RESULTS / "scenarios", description="folder of results")
    again: bool = Field(False, description="measure again the cells measured before")
    documents: int | None = Field(None, ge=1, description="documents to stream; by default all")
    heldout: int | None = Field(None, ge=1, description="held-out documents; by default all")
    seed: int = Field(0, ge=0, description="seed of scenarios and learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class ArrivalSettings(BaseSettings):
    """Let documents arrive faster than they can be learned.

    rates: accuracy against the rate of arrival, for learners with more and less replay, on a
    simulated clock; overload: lag, memory and accuracy of the consumer over Kafka while more
    documents arrive than it can learn, and until it has caught up.
    """

    model_config = _config("arrivals")

    parts: str = Field(",".join(ARRIVALS), description="what to measure, comma-separated")
    out: Path = Field(RESULTS / "arrivals", description="folder of results")
    documents: int | None = Field(
        None, ge=1, description="documents of a pass over the corpus; by default all"
    )
    heldout: int = Field(2000, ge=1, description="held-out documents")
    times: float = Field(
        2,
        gt=0,
        allow_inf_nan=False,
        description="load of `overload`, as a multiple of the rate of learning",
    )
    seconds: float = Field(
        600, gt=0, allow_inf_nan=False, description="seconds that the load lasts"
    )
    seed: int = Field(0, ge=0, description="seed of the order of documents and of learners")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class ReplaySettings(BaseSettings):
    """Learn both splits of the corpus over Kafka, in chronological order and shuffled.

    The broker is an embedded Kafka, or the one that KAFKA_BOOTSTRAP_SERVERS names.
    """

    model_config = _config("replay")

    out: Path = Field(RESULTS / "replay", description="folder of results")
    seed: int = Field(0, ge=0, description="seed of the order of documents")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)
    dates: Path | None = Field(
        None,
        description="dates of the documents, as for --dates of the producer; by default,"
        " documents are in the order of the numbers that their ids end with",
    )


class ReportSettings(BaseSettings):
    """Write report and plots of the quality cells measured so far."""

    model_config = _config("report")

    out: Path = Field(RESULTS, description="folder of results")


class ThroughputSettings(BaseSettings):
    """Compare speeds, the sides of a comparison in turns; results are their ratios.

    publishing: the producer and a bare Kafka client, 7 rounds of 8,000 documents; streaming: the
    consumer over Kafka and its learner fed from memory, 3 rounds of 5,024; committing: the consumer
    with and without commits in mid-stream, 2 rounds of 11,264; serving: the consumer with and
    without a client that requests predictions, 3 rounds of 2,016; watching: the consumer with and
    without the evaluator and the page beside it, 3 rounds of 3,200; learning: the default settings,
    encoding alone and a plain loop, 9 rounds of 64; scaling: the cost of a document as the replay
    buffer fills and labels are discovered, 11 rounds of 64; partitions: naive Bayes on a backlog of
    1 partition and of 200, and idle, 3 rounds of 11,264. All questions take about an hour on two
    cores, a quarter of that for committing. With --quick they take 6 to 8 minutes, with 3 rounds of
    3,000, 1 of 192, 1 of 640, 1 of 320, 1 of 1,280, 2 of 64, 2 of 64 and 1 of 4,000 documents. The
    broker is an embedded Kafka, or the one that KAFKA_BOOTSTRAP_SERVERS names. Comparisons measured
    before are replaced.
    """

    model_config = _config("throughput")

    quick: bool = Field(False, description="fewer documents and rounds, with wider ranges")
    questions: str = Field(
        ",".join(USUAL),
        description="what to measure, comma-separated; also brokers, which needs Java and Maven",
    )
    out: Path | None = Field(
        None, description=f"folder of results; by default {RESULTS}, with --quick {QUICK_FOLDER}"
    )
    seed: int = Field(0, ge=0, description="seed of the order of documents")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)


class MemorySettings(BaseSettings):
    """Learn documents from memory, with the default settings of the consumer."""

    model_config = _config("memory")

    summary: Path = Field(description="JSON file for the summary")
    documents: int = Field(1024, ge=1, description="documents to learn")
    seed: int = Field(0, ge=0, description="seed of the order of documents")
    newsgroups_path: Path | None = Field(None, validation_alias=_ALIAS, description=_PATH)
