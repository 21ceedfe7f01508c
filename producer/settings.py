"""What a user can choose, each with its default."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from pydantic_settings import SettingsConfigDict

from newsreel.common.settings import KafkaSettings
from newsreel.events import topics


class Settings(KafkaSettings):
    """Replay labelled documents onto Kafka; --rate, say, can also be set as PRODUCER_RATE."""

    model_config = SettingsConfigDict(env_prefix="PRODUCER_", cli_prog_name="python -m producer")

    topic: str = Field(
        topics.DOCUMENTS,
        pattern=topics.PATTERN,
        description="topic to publish to; it is created where it is missing",
    )
    partitions: PositiveInt = Field(
        1, description="partitions of the topic, if it has to be created; one keeps the order"
    )

    corpus: str = Field(
        "20newsgroups",
        description="what to publish: '20newsgroups', or the path of a .jsonl, .csv or .tsv file,"
        " or of the raw 20 Newsgroups 'bydate' folder or .tar.gz",
    )
    text_column: str = Field("text", description="column of a file that holds the text")
    label_column: str | None = Field(
        None, description="column of a file that holds the label; 'label' if there is one"
    )
    id_column: str | None = Field(
        None,
        description="column of a file that holds a unique id; else the file's name and row number",
    )
    time_column: str | None = Field(
        None, description="column of a file that holds the time, ISO 8601; none if not given"
    )
    dates: Path | None = Field(
        None,
        description="file of the times of 20 Newsgroups: cells divided by tabs, columns split,"
        " group, id and date_utc",
    )
    split: Literal["train", "test", "all"] | None = Field(
        None, description="part of 20 Newsgroups; train if not given"
    )
    remove: str | None = Field(
        None,
        pattern=r"^(headers|footers|quotes)(,(headers|footers|quotes))*$",
        examples=["headers,footers,quotes"],
        description="parts of 20 Newsgroups posts to leave out: some of headers,footers,quotes",
    )

    scenario: str = Field(
        "shuffled",
        description="what the stream is like: an order (shuffled, as-is, chronological or"
        " class-incremental; all but as-is read the corpus into memory), and what is done to it,"
        " with parameters, such as 'chronological,label-swap:start=5000:labels=4'; see"
        " docs/scenarios.md",
    )
    seed: int = Field(0, description="seed of everything random in the stream")
    repeat: PositiveInt = Field(1, description="passes over the corpus")
    limit: PositiveInt | None = Field(
        None, description="documents to publish at most, all passes together"
    )
    resume: bool = Field(
        False,
        description="leave out as many documents as the topic holds already: go on where a run"
        " with the same options stopped",
    )
    rate: PositiveFloat | None = Field(
        None,
        allow_inf_nan=False,
        description="documents per second; as fast as the broker takes them if not given",
    )
    arrivals: Literal["constant", "poisson", "bursts", "day-and-night"] = Field(
        "constant",
        description="how documents arrive at that rate: evenly, as a Poisson process, or as one"
        " that comes in bursts, or swells and ebbs",
    )
    period: PositiveFloat = Field(
        60.0, allow_inf_nan=False, description="seconds between bursts, or of a day and a night"
    )
    speedup: PositiveFloat | None = Field(
        None,
        allow_inf_nan=False,
        description="send documents when they came about, in time that runs so many times as fast;"
        " for a chronological stream, instead of --rate",
    )

    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="TCP port to serve Prometheus metrics on; none by default"
    )
    metrics_host: str = Field("127.0.0.1", description="address to serve Prometheus metrics on")

    @model_validator(mode="after")
    def _one_clock(self) -> Self:
        if self.rate is not None and self.speedup is not None:
            raise ValueError("--rate and --speedup both say when documents arrive; give one")
        return self
