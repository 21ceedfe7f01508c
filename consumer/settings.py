"""Options of the consumer: flags override environment variables, which override defaults."""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import CliSuppress, SettingsConfigDict

from consumer.drift.config import DetectorName, Reaction
from consumer.features.config import DEFAULT_MODEL, Precision, RuntimeName, TextName
from consumer.kafka.config import Since
from consumer.learners.config import LearnerName, OptimizerName
from consumer.records.config import FormatName, RecordConfig, RegistryConfig
from newsreel.common.secrets import secret
from newsreel.common.settings import KafkaSettings
from newsreel.events.topics import DOCUMENTS, PATTERN, Names

RATES: dict[OptimizerName, tuple[float, float]] = {"adamw": (4e-4, 5e-3), "sgd": (3e-2, 3e-1)}
"""Default learning rates of encoder layers and output layer, by optimizer."""

EXPERTS = tuple(name for name in get_args(LearnerName) if name != "blend")

EXPERT = "|".join(EXPERTS)


class HttpSettings(KafkaSettings):
    """Serve HTTP beside reading from Kafka."""

    http_host: str = Field(
        "127.0.0.1", description="address to serve HTTP on, IPv4 or IPv6; :: is every address"
    )
    http_token: CliSuppress[SecretStr | None] = Field(
        None, min_length=1, description="bearer token for every request but health checks"
    )
    http_token_file: Path | None = Field(
        None,
        description="file with the bearer token for every request but health checks; or set"
        " CONSUMER_HTTP_TOKEN (for evaluate --watch, CONSUMER_EVALUATE_HTTP_TOKEN); without a token"
        " every request is answered",
    )

    @model_validator(mode="after")
    def _read_token(self) -> Self:
        self.http_token = secret(self.http_token, self.http_token_file, "http-token")
        if self.http_token and not self.http_token.get_secret_value().isascii():
            raise ValueError("the token has characters that no header can carry: use ASCII only")
        return self


def _names(option: str) -> AliasChoices:
    """Return the flag of an option and its variable, the same for all commands of the consumer."""
    return AliasChoices(option, f"CONSUMER_{option.replace('-', '_').upper()}")


class RecordSettings(KafkaSettings):
    """Say where text and label are in a record; the variables are the same for all commands."""

    format: FormatName = Field(
        "json",
        validation_alias=_names("format"),
        description="format of a record's value: json; text: the value is the text; avro, or"
        " json-registry: behind the number of a schema, as clients of a schema registry write it",
    )
    text_field: str | None = Field(
        None,
        validation_alias=_names("text-field"),
        min_length=1,
        description="place of the text: a field of the JSON, a path such as payload.after.body,"
        " header:NAME, key, or value (all of it); several, separated by commas, are joined by a"
        " blank line; default: text, or value with --format text",
    )
    label_field: str | None = Field(
        None,
        validation_alias=_names("label-field"),
        min_length=1,
        description="place of the label, named in the same way; default: label, or header:label"
        " with --format text",
    )
    id_field: str | None = Field(
        None,
        validation_alias=_names("id-field"),
        min_length=1,
        description="place of an id that is unique; none: the position of the record; default: the"
        " id of the CloudEvent, else the key if it is text, else the position",
    )
    time_field: str | None = Field(
        None,
        validation_alias=_names("time-field"),
        min_length=1,
        description="place of the document's time; default: time",
    )
    strict_fields: bool = Field(
        False,
        validation_alias=_names("strict-fields"),
        description="make dead letters of records with fields that no option names",
    )
    label_map: Path | None = Field(
        None,
        validation_alias=_names("label-map"),
        description="file that renames and merges labels: a JSON object of new names by old names;"
        " documents whose new name is null count as unlabelled",
    )
    schema_registry: str | None = Field(
        None,
        validation_alias=_names("schema-registry"),
        min_length=1,
        description="URL of the schema registry, for --format avro",
    )
    schema_registry_user: str | None = Field(
        None,
        validation_alias=_names("schema-registry-user"),
        min_length=1,
        description="user name for the schema registry, if it asks for one",
    )
    schema_registry_password: CliSuppress[SecretStr | None] = Field(
        None,
        validation_alias=_names("schema-registry-password"),
        min_length=1,
        description="password of that user",
    )
    schema_registry_password_file: Path | None = Field(
        None,
        validation_alias=_names("schema-registry-password-file"),
        description="file with the password of that user; or set CONSUMER_SCHEMA_REGISTRY_PASSWORD",
    )

    @property
    def records(self) -> RecordConfig:
        """Format of the records, and places of their parts."""
        password = self.schema_registry_password
        registry = self.schema_registry and RegistryConfig(
            self.schema_registry,
            self.schema_registry_user,
            password.get_secret_value() if password else None,
        )
        return RecordConfig(
            self.format,
            self.text_field,
            self.label_field,
            self.id_field,
            self.time_field,
            self.strict_fields,
            self.label_map,
            registry or None,
        )

    @model_validator(mode="after")
    def _check_registry(self) -> Self:
        self.schema_registry_password = secret(
            self.schema_registry_password,
            self.schema_registry_password_file,
            "schema-registry-password",
        )
        if self.format == "avro" and self.schema_registry is None:
            raise ValueError("--format avro needs the address of --schema-registry")
        if self.format != "avro" and self.schema_registry is not None:
            raise ValueError("--schema-registry has no effect without --format avro")
        return self


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
        " documents; at-least-once: immediately, and again after a crash",
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
        description="reaction to records that were deleted before they were read: stop, or"
        " continue without them and count them",
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


class InspectSettings(RecordSettings):
    """Look at some records of a topic: what they hold, and the options that read them.

    Nothing is changed: no group is joined, and no offset is committed.
    """

    model_config = SettingsConfigDict(
        env_prefix="CONSUMER_INSPECT_", cli_prog_name="python -m consumer inspect"
    )

    topic: str = Field(DOCUMENTS, pattern=PATTERN, description="topic to look at")
    sample: int = Field(
        1000, ge=1, description="records to read: the first and the last ones of each partition"
    )

    @property
    def command(self) -> dict[str, str]:
        """Given options that the consumer needs as well."""
        given = {
            "--bootstrap-servers": self.bootstrap_servers,
            "--schema-registry": self.schema_registry,
            "--schema-registry-user": self.schema_registry_user,
            "--label-map": self.label_map,
        }
        default = type(self).model_fields["bootstrap_servers"].default
        return {name: str(value) for name, value in given.items() if value not in {None, default}}
