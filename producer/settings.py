"""Options of the producer, with their defaults."""

import codecs
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from newsreel.common.settings import KafkaSettings
from newsreel.events.topics import DOCUMENTS, HELD_OUT, PATTERN, Names


class Settings(KafkaSettings):
    """Publish labelled documents to a Kafka topic.

    Every option is also an environment variable: PRODUCER_RATE for --rate.
    """

    model_config = SettingsConfigDict(env_prefix="PRODUCER_", cli_prog_name="python -m producer")

    topic: str = Field(
        DOCUMENTS,
        pattern=PATTERN,
        description="topic to publish to; created if it does not exist",
    )
    labels_topic: str | None = Field(
        None,
        pattern=PATTERN,
        examples=["ml.labels"],
        description="topic of labels that a scenario sends later; default: <topic>.labels",
    )
    truth_topic: str | None = Field(
        None,
        pattern=PATTERN,
        examples=["ml.truth"],
        description="topic of the changes that a scenario makes; default: <topic>.truth",
    )
    partitions: PositiveInt = Field(
        1,
        description="number of partitions of a topic that has to be created; one partition keeps"
        " the order of the documents",
    )
    keep_records: bool = Field(
        default_factory=lambda fields: str(fields["topic"]).endswith(HELD_OUT),
        description="create a missing topic with retention.ms=-1 and retention.bytes=-1, so that"
        f" Kafka never deletes its records; default: only if its name ends in {HELD_OUT}",
    )

    corpus: str = Field(
        "20newsgroups",
        description="documents to publish: '20newsgroups', or the path of a table (separated by"
        " commas, tabs or others, JSON, or Parquet; also compressed), or of the raw 20 Newsgroups"
        " 'bydate' folder or .tar.gz",
    )
    text_column: str | None = Field(
        None,
        description="column of the text in a table, or several, such as 'subject,body', joined by"
        " a blank line; by default 'text', or the longest column of a table without header. Columns"
        " without names are numbered: 1, 2, ...",
    )
    label_column: str | None = Field(
        None,
        description="column of the label in a table, or 'none'; by default 'label', or the column"
        " of a table without header that holds few short values",
    )
    id_column: str | None = Field(
        None,
        description="column of the unique id in a table; by default, ids are made of the file's"
        " name and the row number",
    )
    time_column: str | None = Field(
        None,
        description="column of the time in a table: ISO 8601, the date of an e-mail, or a number"
        " since 1970; by default, documents have no time",
    )
    separator: str | None = Field(
        None,
        min_length=1,
        description="separator of the cells of a table: comma, semicolon, tab, pipe, space, colon,"
        " none (each line is one cell), or any characters; by default, it is recognized",
    )
    quoting: Literal["double", "backslash", "single", "single-backslash", "none"] | None = Field(
        None,
        description="quotes around cells of a table: double quotes, written twice inside a cell"
        " (double) or after a backslash (backslash), the same for single quotes, or none; by"
        " default, they are recognized",
    )
    header: Literal["yes", "no"] | None = Field(
        None,
        description="whether the first row of a table has the names of the columns; by default, it"
        " is recognized",
    )
    encoding: str | None = Field(
        None,
        examples=["cp1252"],
        description="encoding of a table, by Python's name, such as utf-8, cp1252 or utf-16-le; by"
        " default, it is recognized",
    )
    bad_rows: Literal["skip", "stop"] = Field(
        "skip",
        description="what to do with a row of a table that can't be used: skip it, unless more than"
        " 1 % of the rows are such, or stop at it",
    )
    dates: Path | None = Field(
        None,
        description="file of the times of 20 Newsgroups: tab-separated, with columns split, group,"
        " id and date_utc",
    )
    split: Literal["train", "test", "all"] | None = Field(
        None, description="part of 20 Newsgroups; train by default"
    )
    remove: str | None = Field(
        None,
        pattern=r"^(headers|footers|quotes)(,(headers|footers|quotes))*$",
        examples=["headers,footers,quotes"],
        description="parts to remove from posts of 20 Newsgroups: some of headers,footers,quotes",
    )

    scenario: str = Field(
        "shuffled",
        description="order of the documents (shuffled, as-is, chronological or class-incremental;"
        " all but as-is read the corpus into memory), and changes of the stream with"
        " their parameters, such as 'chronological,label-swap:start=5000:labels=4'; see"
        " docs/scenarios.md",
    )
    seed: int = Field(0, description="seed of all random numbers")
    repeat: PositiveInt = Field(1, description="number of passes over the corpus")
    limit: PositiveInt | None = Field(
        None, description="largest number of documents to publish, in all passes together"
    )
    resume: bool = Field(
        False,
        description="skip as many documents as the topic already contains, to continue an earlier"
        " run with the same options",
    )
    rate: PositiveFloat | None = Field(
        None,
        allow_inf_nan=False,
        description="documents per second; by default, as fast as the broker accepts them",
    )
    arrivals: Literal["constant", "poisson", "bursts", "day-and-night"] = Field(
        "constant",
        description="arrivals at that rate: evenly spaced, or a Poisson process of constant rate,"
        " with bursts, or with the rate of day and night",
    )
    period: PositiveFloat = Field(
        60.0, allow_inf_nan=False, description="seconds between two bursts, or of a day and a night"
    )
    speedup: PositiveFloat | None = Field(
        None,
        allow_inf_nan=False,
        description="publish documents at their own times, so many times faster; for a"
        " chronological stream, instead of --rate",
    )

    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="TCP port of the Prometheus metrics; not served by default",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="address of the Prometheus metrics, IPv4 or IPv6"
    )

    @property
    def topics(self) -> Names:
        """Names of the topics of the stream."""
        return Names.of(self.topic, labels=self.labels_topic, truth=self.truth_topic)

    @model_validator(mode="after")
    def _name_topics(self) -> Self:
        _ = self.topics  # refuses names that are given twice
        return self

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            "text".encode(value).decode(value, "surrogateescape")
            return codecs.lookup(value).name
        except (LookupError, UnicodeError) as error:
            raise ValueError("no such encoding; give one such as utf-8 or cp1252") from error

    @model_validator(mode="after")
    def _check_clock(self) -> Self:
        if self.rate is not None and self.speedup is not None:
            raise ValueError("--rate and --speedup both set the arrival times; give only one")
        return self
