"""Options of the demo, with their defaults."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Watch a transformer learn 20 Newsgroups from Kafka: broker, producer, consumer, report.

    If KAFKA_BOOTSTRAP_SERVERS is set, the demo uses that broker in place of the embedded one.
    """

    model_config = SettingsConfigDict(
        env_prefix="DEMO_",
        cli_prog_name="python -m demo",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_implicit_flags=True,
    )

    documents: int = Field(2000, ge=1, description="number of training documents to stream")
    heldout: int = Field(
        1000, ge=1, description="number of held-out documents to evaluate the model on"
    )
    rate: float | None = Field(
        None,
        gt=0,
        description="documents per second; by default, as fast as the broker accepts them",
    )
    corpus: str = Field(
        "20newsgroups",
        description="20newsgroups, or the path of its raw 'bydate' folder or .tar.gz",
    )
    seed: int = Field(0, ge=0, description="seed of the order of documents and of the learner")
    folder: Path = Field(Path("runs/demo"), description="folder of results and logs")
