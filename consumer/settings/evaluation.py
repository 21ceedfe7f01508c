"""Options of ``python -m consumer evaluate``."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from consumer.features.config import Precision, RuntimeName
from consumer.settings.shared import HttpSettings, RecordSettings
from newsreel.events.topics import DOCUMENTS, PATTERN, Names


class EvaluateSettings(HttpSettings, RecordSettings):
    """Evaluate a checkpoint on the held-out topic and print the scores as JSON.

    With --watch, evaluate each checkpoint that the consumer commits, until a signal comes, and
    serve the scores to Prometheus.
    """

    model_config = SettingsConfigDict(
        env_prefix="CONSUMER_EVALUATE_", cli_prog_name="python -m consumer evaluate"
    )

    checkpoint: Path = Field(
        description="checkpoint, or folder of checkpoints: then the one that was committed last"
    )
    topic: str = Field(Names.of(DOCUMENTS).heldout, pattern=PATTERN, description="held-out topic")
    watch: bool = Field(False, description="follow the commits of a folder of checkpoints")
    threads: int | None = Field(
        None, ge=1, description="number of cores to use; default: 1 with --watch, else all"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Precision = Field(
        "auto", description="precision of matrix products; auto: the fast one of this machine"
    )
    runtime: RuntimeName = Field(
        "auto", description="runtime of the frozen layers: torch, or openvino (faster on a CPU)"
    )
    http_port: int = Field(
        8002, ge=0, le=65535, description="port to serve HTTP on, with --watch; 0 picks a free one"
    )
