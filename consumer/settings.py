"""Options of the consumer and its evaluator, with their defaults."""

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
    """Connect to Kafka and serve HTTP."""

    http_host: str = Field("127.0.0.1", description="address of the HTTP server")
    http_token: CliSuppress[SecretStr | None] = Field(
        None, min_length=1, description="bearer token of all HTTP requests but those for health"
    )
    http_token_file: Path | None = Field(
        None,
        description="file with the bearer token of all HTTP requests but those for health; or set"
        " CONSUMER_HTTP_TOKEN (of evaluate --watch, CONSUMER_EVALUATE_HTTP_TOKEN); without either,"
        " requests need no token",
    )

    @model_validator(mode="after")
    def _read_token(self) -> Self:
        self.http_token = secret(self.http_token, self.http_token_file, "http-token")
        if self.http_token and not self.http_token.get_secret_value().isascii():
            raise ValueError(
                "the token has characters that a header cannot carry: make it of ASCII"
            )
        return self


class Settings(HttpSettings):
    """Learn from a topic of labelled documents: predict, score, learn, remember.

    `python -m consumer evaluate --help` shows how to evaluate a checkpoint. Every option is also an
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
        60.0, gt=0, allow_inf_nan=False, description="longest time between commits, in seconds"
    )
    keep_checkpoints: int = Field(2, ge=1, description="number of checkpoints to keep")
    delivery: Literal["exactly-once", "at-least-once"] = Field(
        "exactly-once",
        description="when predictions are published: with the commit of their documents, or at once"
        " and, after a crash, again",
    )
    lost_offsets: Literal["stop", "continue"] = Field(
        "stop",
        description="what to do when records were deleted before they were read: stop, or continue"
        " and count them",
    )

    learner: LearnerName = Field("blend", description="learner; docs/learners.md compares them")
    experts: str = Field(
        "latent,analytic,bayes",
        pattern=rf"^({EXPERT})(,({EXPERT}))*$",
        description=f"learners of the blend: some of {','.join(EXPERTS)}",
    )
    model: str = Field(
        DEFAULT_MODEL, min_length=1, description="encoder: Hugging Face name or folder"
    )
    layers: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        2,
        description="number of top layers that latent and finetune train, the others are frozen;"
        " all: the whole encoder (finetune only)",
    )
    adapters: int = Field(
        0, ge=0, description="rank of LoRA adapters to train instead of whole layers; 0: none"
    )
    text: TextName = Field(
        "mail",
        description="preparation of texts. mail: of messages with headers, the encoder reads"
        " subject, sender and organization, then the body, and words of the subject count more;"
        " plain: none",
    )
    max_tokens: int = Field(128, ge=4, description="tokens read of each text")
    latent_tokens: int = Field(
        64,
        ge=2,
        description="activations of a text for the latent learner; of longer texts, neighbouring"
        " activations are averaged",
    )
    learn_tokens: int = Field(
        32, ge=2, description="activations, drawn at random, that a gradient step of latent uses"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Precision = Field(
        "auto", description="precision of matrix products; auto: the fastest"
    )
    runtime: RuntimeName = Field(
        "auto", description="runtime of the frozen layers; openvino is faster on a CPU"
    )
    optimizer: OptimizerName = Field(
        "adamw", description="optimizer of gradient steps; sgd has momentum 0.9"
    )
    learning_rate: float = Field(
        default_factory=lambda set_: RATES[set_["optimizer"]][0],
        gt=0,
        allow_inf_nan=False,
        description="learning rate of the encoder; default: 4e-4 with adamw, 3e-2 with sgd",
    )
    head_learning_rate: float = Field(
        default_factory=lambda set_: RATES[set_["optimizer"]][1],
        gt=0,
        allow_inf_nan=False,
        description="learning rate of the output layer; default: 5e-3 with adamw, 3e-1 with sgd",
    )
    averaging: float = Field(
        0.995,
        ge=0,
        lt=1,
        description="decay of the average of the weights, which predicts; 0: the weights predict",
    )
    logit_adjustment: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="strength of the correction for frequent labels in the loss; 0: none",
    )
    ridge: float = Field(
        30.0,
        gt=0,
        allow_inf_nan=False,
        description="strength of the analytic learner's regularization",
    )
    batch_size: int = Field(32, ge=1, description="new documents of a learning step")
    linger: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="longest wait of a document for others to be predicted with it, in seconds",
    )
    max_labels: int = Field(
        1000, ge=1, description="most labels to discover; documents of others are dead letters"
    )

    replay: Literal["reservoir", "class-balanced"] = Field(
        "class-balanced",
        description="sampling of the replay buffer: uniform, or all labels equally",
    )
    replay_capacity: int = Field(
        2000, ge=1, description="capacity of the replay buffer, in documents"
    )
    replay_ratio: float = Field(
        0.5, ge=0, allow_inf_nan=False, description="replayed documents for each new one"
    )
    target_lag: int | None = Field(
        None,
        ge=1,
        description="number of waiting records above which less is replayed; by default, replay"
        " does not depend on time, and a run can be repeated exactly",
    )
    late_labels: bool = Field(
        False,
        description="wait for labels that come later than their documents, on <topic>.labels",
    )
    pending_capacity: int = Field(
        10_000, ge=1, description="most documents that wait for their labels, with --late-labels"
    )
    drift_detector: DetectorName = Field(
        "adwin", description="detector of a rising prequential error"
    )
    on_drift: Reaction = Field(
        "forget",
        description="reaction to a rising error: forget the labels that are no longer recognized,"
        " or nothing",
    )
    seed: int = Field(0, ge=0, description="seed of all random numbers")

    http_port: int = Field(
        8000, ge=0, le=65535, description="port of the HTTP server; 0: a free one"
    )
    stop_after: int | None = Field(None, ge=1, description="number of documents after which to end")
    stop_when_idle: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="seconds without a document after which to end"
    )
    summary: Path | None = Field(None, description="file for the results, as JSON")


class EvaluateSettings(HttpSettings):
    """Evaluate a checkpoint on the held-out topic, and print the scores as JSON.

    With --watch, evaluate each committed checkpoint beside the consumer until Ctrl-C or SIGTERM,
    and serve the scores to Prometheus.
    """

    model_config = SettingsConfigDict(
        env_prefix="CONSUMER_EVALUATE_", cli_prog_name="python -m consumer evaluate"
    )

    checkpoint: Path = Field(
        description="a checkpoint, or a folder of checkpoints: the last committed one"
    )
    topic: str = Field(
        topics.heldout(topics.DOCUMENTS), pattern=topics.PATTERN, description="held-out topic"
    )
    watch: bool = Field(False, description="evaluate each committed checkpoint of a folder")
    threads: int | None = Field(
        None, ge=1, description="number of cores to use; default: 1 with --watch, else all"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Precision = Field(
        "auto", description="precision of matrix products; auto: the fastest"
    )
    runtime: RuntimeName = Field("auto", description="runtime of the frozen layers")
    http_port: int = Field(
        8002, ge=0, le=65535, description="port of the HTTP server, with --watch; 0: a free one"
    )
