"""Options of the producer, with their defaults."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
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
        description="documents to publish: '20newsgroups', or the path of a .jsonl, .csv or .tsv"
        " file, or of the raw 20 Newsgroups 'bydate' folder or .tar.gz",
    )
    text_column: str = Field("text", description="column of the text in a file")
    label_column: str | None = Field(
        None, description="column of the label in a file; 'label' if there is such a column"
    )
    id_column: str | None = Field(
        None,
        description="column of the unique id in a file; by default, ids are made of the file's name"
        " and the row number",
    )
    time_column: str | None = Field(
        None,
        description="column of the time (ISO 8601) in a file; by default, documents have no time",
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

    @model_validator(mode="after")
    def _check_clock(self) -> Self:
        if self.rate is not None and self.speedup is not None:
            raise ValueError("--rate and --speedup both set the arrival times; give only one")
        return self
