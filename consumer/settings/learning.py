"""Options of ``python -m consumer``."""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import SettingsConfigDict

from consumer.drift.config import DetectorName, Reaction
from consumer.features.config import DEFAULT_MODEL, Precision, RuntimeName, TextName
from consumer.kafka.config import Since
from consumer.learners.config import LearnerName, OptimizerName
from consumer.settings.shared import HttpSettings, RecordSettings
from newsreel.events.topics import DOCUMENTS, PATTERN, Names

RATES: dict[OptimizerName, tuple[float, float]] = {"adamw": (4e-4, 5e-3), "sgd": (3e-2, 3e-1)}
"""Default learning rates of encoder layers and output layer, by optimizer."""

EXPERTS = tuple(name for name in get_args(LearnerName) if name != "blend")

EXPERT = "|".join(EXPERTS)


class Settings(HttpSettings, RecordSettings):
    """Learn from a topic of labelled documents: predict, score, learn, remember.

    `python -m consumer evaluate --help` shows how to evaluate a checkpoint. Every option is also an
    environment variable: CONSUMER_BATCH_SIZE for --batch-size.
    """

    model_config = SettingsConfigDict(env_prefix="CONSUMER_", cli_prog_name="python -m consumer")

    topic: str = Field(DOCUMENTS, pattern=PATTERN, description="topic to learn from")
    predictions_topic: str | None = Field(
        None,
        pattern=PATTERN,
        examples=["ml.predictions"],
        description="topic of predictions; default: <topic>.predictions",
    )
    dead_letters_topic: str | None = Field(
        None,
        pattern=PATTERN,
        examples=["ml.dead-letters"],
        description="topic of records that could not be used; default: <topic>.dead-letters",
    )
    drift_topic: str | None = Field(
        None,
        pattern=PATTERN,
        examples=["ml.drift"],
        description="topic of detected changes; default: <topic>.drift",
    )
    labels_topic: str | None = Field(
        None,
        pattern=PATTERN,
        examples=["ml.labels"],
        description="topic of late labels; default: <topic>.labels",
    )
    heldout_topic: str | None = Field(
        None,
        pattern=PATTERN,
        examples=["ml.heldout"],
        description="topic of held-out documents; default: <topic>.heldout",
    )
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
        description="when predictions are published: exactly-once: with the commit of their"
        " documents; at-least-once: immediately, and again after a crash;"
        " needs no transactions",
    )
    from_: Since = Field(
        "earliest",
        validation_alias=AliasChoices("from", "CONSUMER_FROM"),
        description="where a new group begins: earliest, latest, or with the records of a time or"
        " later, such as 2026-01-05T12:00 (UTC unless it names a zone); no effect on a group that"
        " has committed, except on a new topic with --keep-model",
    )
    keep_model: bool = Field(
        False,
        description="go on with what was learned, from the offsets of the group, after these were"
        " moved or the topic was created again or mirrored; without it such a start is refused",
    )
    lost_offsets: Literal["stop", "continue"] = Field(
        "stop",
        description="reaction to records that were deleted before they were read, or that an"
        " unclean leader election removed after: stop, or continue without them and count them",
    )

    learner: LearnerName = Field("blend", description="learner; docs/learners.md compares them")
    experts: str = Field(
        "latent,analytic,bayes",
        pattern=rf"^({EXPERT})(,({EXPERT}))*$",
        description=f"experts of the blend: some of {','.join(EXPERTS)}",
    )
    model: str = Field(
        DEFAULT_MODEL, min_length=1, description="encoder: Hugging Face name or folder"
    )
    layers: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        2,
        description="number of top encoder layers that latent and finetune train, the others are"
        " frozen; all: the whole encoder (finetune only)",
    )
    adapters: int = Field(
        0, ge=0, description="rank of LoRA adapters to train instead of whole layers; 0: none"
    )
    text: TextName = Field(
        "mail",
        description="mail: if a text begins with mail headers, the encoder reads subject, sender,"
        " organization and body, and words of the subject count more; plain: the text as it is",
    )
    max_tokens: int = Field(128, ge=4, description="tokens that the encoder reads of each text")
    latent_tokens: int = Field(
        64,
        ge=2,
        description="activations that latent keeps of each text; neighbouring activations of longer"
        " texts are averaged",
    )
    learn_tokens: int = Field(
        32, ge=2, description="activations, chosen at random, that latent learns in one step"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Precision = Field(
        "auto", description="precision of matrix products; auto: the fast one of this machine"
    )
    runtime: RuntimeName = Field(
        "auto", description="runtime of the frozen layers: torch, or openvino (faster on a CPU)"
    )
    optimizer: OptimizerName = Field("adamw", description="optimizer of latent and finetune")
    learning_rate: float = Field(
        default_factory=lambda fields: RATES[fields["optimizer"]][0],
        gt=0,
        allow_inf_nan=False,
        description="learning rate of encoder layers; default: 4e-4 with adamw, 3e-2 with sgd",
    )
    head_learning_rate: float = Field(
        default_factory=lambda fields: RATES[fields["optimizer"]][1],
        gt=0,
        allow_inf_nan=False,
        description="learning rate of the output layer; default: 5e-3 with adamw, 3e-1 with sgd",
    )
    averaging: float = Field(
        0.995,
        ge=0,
        lt=1,
        description="decay of the average of the weights, which predicts; 0: no average",
    )
    logit_adjustment: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="strength of the correction for frequent labels in the loss; 0: none",
    )
    ridge: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="regularization of the analytic learner"
    )
    batch_size: int = Field(32, ge=1, description="new documents of a learning step")
    linger: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="longest time a document waits for others to be predicted with it, in seconds",
    )
    max_labels: int = Field(
        1000, ge=1, description="labels to discover; documents of more labels are dead letters"
    )

    replay: Literal["reservoir", "class-balanced"] = Field(
        "class-balanced",
        description="documents that the replay buffer keeps: reservoir: a uniform sample of the"
        " stream; class-balanced: as many of each label as possible",
    )
    replay_capacity: int = Field(2000, ge=1, description="documents in the replay buffer")
    replay_ratio: float = Field(
        0.5, ge=0, allow_inf_nan=False, description="replayed documents for each new one"
    )
    target_lag: int | None = Field(
        None,
        ge=1,
        description="lag in records above which fewer documents are replayed; None: replay does not"
        " depend on the lag, and a run can be repeated exactly",
    )
    late_labels: bool = Field(
        False,
        description="read labels that arrive later than their documents, from --labels-topic",
    )
    pending_capacity: int = Field(
        10_000, ge=1, description="documents that can wait for late labels, with --late-labels"
    )
    drift_detector: DetectorName = Field(
        "adwin", description="detector of a rise of the prequential error"
    )
    on_drift: Reaction = Field(
        "forget",
        description="reaction to such a rise: forget what was learned of labels whose recall"
        " collapsed, or nothing",
    )
    seed: int = Field(0, ge=0, description="seed of all random numbers")

    http_port: int = Field(
        8000, ge=0, le=65535, description="port to serve HTTP on; 0 picks a free one"
    )
    stop_after: int | None = Field(
        None, ge=1, description="number of documents after which the run ends"
    )
    stop_when_idle: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="seconds without a document after which the run ends",
    )
    summary: Path | None = Field(None, description="file for the results of the run, as JSON")

    @property
    def topics(self) -> Names:
        """Names of the topics of the stream."""
        return Names.of(
            self.topic,
            heldout=self.heldout_topic,
            predictions=self.predictions_topic,
            dead_letters=self.dead_letters_topic,
            labels=self.labels_topic,
            drift=self.drift_topic,
        )

    @model_validator(mode="after")
    def _name_topics(self) -> Self:
        _ = self.topics  # refuses names that are given twice
        return self
