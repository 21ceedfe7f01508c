"""What can be set: flags, then environment variables, then these defaults."""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import CliSuppress, SettingsConfigDict

from consumer.drift.config import DetectorName, Reaction
from consumer.features.config import DEFAULT_MODEL, Precision, RuntimeName, TextName
from consumer.learners.config import LearnerName, OptimizerName
from newsreel.common.settings import KafkaSettings, secret
from newsreel.events import topics

RATES: dict[OptimizerName, tuple[float, float]] = {"adamw": (4e-4, 5e-3), "sgd": (3e-2, 3e-1)}

EXPERTS = tuple(name for name in get_args(LearnerName) if name != "blend")

EXPERT = "|".join(EXPERTS)


class HttpSettings(KafkaSettings):
    """Serve HTTP beside reaching Kafka."""

    http_host: str = Field("127.0.0.1", description="address to serve HTTP on")
    http_token: CliSuppress[SecretStr | None] = Field(
        None, min_length=1, description="token that whoever asks for more than health must bear"
    )
    http_token_file: Path | None = Field(
        None,
        description="file with the token that whoever asks for more than health must bear; or set"
        " CONSUMER_HTTP_TOKEN (to evaluate --watch, CONSUMER_EVALUATE_HTTP_TOKEN); open to all if"
        " neither is given",
    )

    @model_validator(mode="after")
    def _read_token(self) -> Self:
        self.http_token = secret(self.http_token, self.http_token_file, "http-token")
        if self.http_token and not self.http_token.get_secret_value().isascii():
            raise ValueError("the token has characters that no header can carry: make it of ASCII")
        return self


class Settings(HttpSettings):
    """Learn from a topic of labelled documents: predict, score, learn, remember.

    `python -m consumer evaluate --help` shows how to examine a checkpoint. Every option is also an
    environment variable: CONSUMER_BATCH_SIZE for --batch-size.
    """

    model_config = SettingsConfigDict(env_prefix="CONSUMER_", cli_prog_name="python -m consumer")

    topic: str = Field(topics.DOCUMENTS, pattern=topics.PATTERN, description="topic to learn from")
    group: str = Field("newsreel", min_length=1, description="Kafka consumer group")
    checkpoint_dir: Path = Field(Path("checkpoints"), description="folder of checkpoints")
    checkpoint_every: int = Field(
        5000, ge=1, description="documents between commits, rounded up to whole steps"
    )
    checkpoint_seconds: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="longest time between commits"
    )
    keep_checkpoints: int = Field(2, ge=1, description="checkpoints to keep")
    delivery: Literal["exactly-once", "at-least-once"] = Field(
        "exactly-once",
        description="when predictions leave: with the commit of their documents, or at once and,"
        " after a crash, again",
    )
    lost_offsets: Literal["stop", "continue"] = Field(
        "stop",
        description="when records were deleted before they were read: stop, or continue without"
        " them and count them",
    )

    learner: LearnerName = Field("blend", description="how to learn; docs/learners.md compares")
    experts: str = Field(
        "latent,analytic,bayes",
        pattern=rf"^({EXPERT})(,({EXPERT}))*$",
        description=f"what a blend is of: some of {','.join(EXPERTS)}",
    )
    model: str = Field(
        DEFAULT_MODEL, min_length=1, description="encoder: Hugging Face name or folder"
    )
    layers: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        2,
        description="top layers that latent and finetune train, the others are frozen; all: the"
        " whole encoder (finetune only)",
    )
    adapters: int = Field(
        0, ge=0, description="rank of LoRA adapters to train instead of whole layers; 0: none"
    )
    text: TextName = Field(
        "mail",
        description="mail: of messages with headers the encoder reads subject, sender and"
        " organization, then the body, and words of the subject count more; plain: all as it is",
    )
    max_tokens: int = Field(128, ge=4, description="tokens read of each text")
    latent_tokens: int = Field(
        64,
        ge=2,
        description="activations that latent has of each text; of longer texts, neighbouring ones"
        " are averaged",
    )
    learn_tokens: int = Field(
        32, ge=2, description="of these, chosen at random, that it learns in one step"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Precision = Field("auto", description="of matrix products; auto: what is fast here")
    runtime: RuntimeName = Field(
        "auto", description="what runs frozen layers: torch, openvino (faster on a CPU)"
    )
    optimizer: OptimizerName = Field("adamw", description="how gradients become steps")
    learning_rate: float = Field(
        default_factory=lambda set_: RATES[set_["optimizer"]][0],
        gt=0,
        allow_inf_nan=False,
        description="of the encoder's layers; default: 4e-4 with adamw, 3e-2 with sgd",
    )
    head_learning_rate: float = Field(
        default_factory=lambda set_: RATES[set_["optimizer"]][1],
        gt=0,
        allow_inf_nan=False,
        description="of the output layer; default: 5e-3 with adamw, 3e-1 with sgd",
    )
    averaging: float = Field(
        0.995,
        ge=0,
        lt=1,
        description="what a step leaves of the average of the weights that predicts; 0: no average",
    )
    logit_adjustment: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="how much the loss makes up for labels that are learned often; 0: not at all",
    )
    ridge: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="regularization of the analytic learner"
    )
    batch_size: int = Field(32, ge=1, description="new documents of a learning step")
    linger: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="seconds a prediction waits for others to be made with it",
    )
    max_labels: int = Field(1000, ge=1, description="labels to discover; more are dead letters")

    replay: Literal["reservoir", "class-balanced"] = Field(
        "class-balanced", description="what the replay buffer keeps"
    )
    replay_capacity: int = Field(2000, ge=1, description="documents in the replay buffer")
    replay_ratio: float = Field(
        0.5, ge=0, allow_inf_nan=False, description="replayed documents for each new one"
    )
    target_lag: int | None = Field(
        None,
        ge=1,
        description="records that may wait; with more of them less is replayed. None: replay does"
        " not depend on time, and a run can be repeated exactly",
    )
    late_labels: bool = Field(
        False,
        description="wait for labels that come later than their documents, on <topic>.labels",
    )
    pending_capacity: int = Field(
        10_000, ge=1, description="documents that wait for their labels at most, with --late-labels"
    )
    drift_detector: DetectorName = Field(
        "adwin", description="what tells that the prequential error rises"
    )
    on_drift: Reaction = Field(
        "forget",
        description="what is done then: forget what was learned of labels that are not recognized"
        " any more, or nothing",
    )
    seed: int = Field(0, ge=0, description="of everything random")

    http_port: int = Field(8000, ge=0, le=65535, description="port of it; 0 picks a free one")
    stop_after: int | None = Field(None, ge=1, description="end after so many documents")
    stop_when_idle: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="end after so many seconds without a document"
    )
    summary: Path | None = Field(None, description="file to write the results to, as JSON")


class EvaluateSettings(HttpSettings):
    """Examine a checkpoint on the held-out topic; prints the scores as JSON, or follows a stream.

    With --watch it examines whatever is committed, beside the consumer, until it is told to stop,
    and serves the scores to Prometheus.
    """

    model_config = SettingsConfigDict(
        env_prefix="CONSUMER_EVALUATE_", cli_prog_name="python -m consumer evaluate"
    )

    checkpoint: Path = Field(
        description="a checkpoint, or a folder of them: then the one that was committed last"
    )
    topic: str = Field(
        topics.heldout(topics.DOCUMENTS), pattern=topics.PATTERN, description="held-out topic"
    )
    watch: bool = Field(False, description="follow the checkpoints of a folder")
    threads: int | None = Field(
        None, ge=1, description="cores to take; default: 1 with --watch, else all"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Precision = Field("auto", description="of matrix products; auto: what is fast here")
    runtime: RuntimeName = Field("auto", description="what runs frozen layers: torch, openvino")
    http_port: int = Field(
        8002, ge=0, le=65535, description="port to serve HTTP on, with --watch; 0 picks a free one"
    )
