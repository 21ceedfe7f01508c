"""Command-line options of the fault trials."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chaos.trial import RecordFormat
from harness.kinds import Kind


class Settings(BaseSettings):
    """Kill, stop, disconnect and feed the consumer malformed records, then check the outcome.

    Without --kafka, the broker is the one that KAFKA_BOOTSTRAP_SERVERS names, where trials that
    stop the broker are skipped; else an embedded Kafka. The exit code is 1 if a check failed.
    """

    model_config = SettingsConfigDict(
        env_prefix="CHAOS_",
        cli_prog_name="python -m chaos",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_implicit_flags=True,
    )

    only: str | None = Field(
        None, description="trials to run, comma-separated; names or prefixes of names"
    )
    kafka: Kind | None = Field(
        None,
        description="Kafka to run: embedded; or Apache Kafka (apache) or a cluster of three brokers"
        " (cluster), which need Java and Maven",
    )
    format: RecordFormat = Field(
        "json",
        description="format of the records in the trials that kill a consumer: json, or JSON behind"
        " the five bytes of a schema registry",
    )
    documents: int = Field(
        1600, ge=64, multiple_of=16, description="documents of the longer streams"
    )
    kills: int = Field(
        50,
        ge=1,
        description="kills on one partition, and while brokers are injured; half as many on four"
        " partitions",
    )
    kills_each: int = Field(
        4, ge=1, description="kills of each single learner; half as many on four partitions"
    )
    takeovers: int = Field(3, ge=1, description="takeovers by a standby from a killed leader")
    outage: float = Field(20.0, gt=0, description="seconds that the broker is paused")
    malformed: int = Field(10_000, ge=1, description="malformed records")
    mutations: int = Field(200, ge=1, description="mutations of the files of a checkpoint")
    seed: int = Field(0, ge=0, description="seed of all random choices")
    folder: Path = Field(Path("runs/chaos"), description="folder of logs and checkpoints")
