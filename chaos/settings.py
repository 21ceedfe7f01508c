"""What can be changed about the faults."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Kill, stop, cut off and feed the consumer with rubbish, and count what comes of it.

    With KAFKA_BOOTSTRAP_SERVERS set, that broker is used in place of the embedded one; trials that
    stop the broker are then left out. The exit code is 1 if anything did not hold.
    """

    model_config = SettingsConfigDict(
        env_prefix="SOAK_",
        cli_prog_name="python -m chaos",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_implicit_flags=True,
    )

    only: str | None = Field(
        None, description="trials to make, comma-separated; a name or how it begins"
    )
    documents: int = Field(1600, ge=64, multiple_of=16, description="of the longer streams")
    kills: int = Field(50, ge=1, description="on one partition; on four, half as many")
    kills_each: int = Field(
        4, ge=1, description="of each learner by itself; on four partitions, half as many"
    )
    takeovers: int = Field(3, ge=1, description="of a standby from a killed leader")
    outage: float = Field(20.0, gt=0, description="seconds that the broker stands still")
    malformed: int = Field(10_000, ge=1, description="records that are no documents")
    mutations: int = Field(200, ge=1, description="of a checkpoint's files")
    seed: int = Field(0, ge=0, description="of everything random")
    folder: Path = Field(Path("runs/chaos"), description="where logs and checkpoints go")
