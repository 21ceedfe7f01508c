"""Build an extractor and a learner that fit each other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from consumer.features import mail
from consumer.features.config import HardwareConfig, TextName
from consumer.features.extractor import Extractor, FeatureUnion
from consumer.features.ngrams import Ngrams
from consumer.learners.bayes import ComplementBayes
from consumer.learners.config import LearnerError, LearnerName, ModelConfig, TrainingConfig
from consumer.learners.ngram import NgramSoftmax
from consumer.learners.protocol import Learner

NGRAM_LEARNERS: set[LearnerName] = {"bayes", "ngram"}
"""Learners of n-grams."""

FROZEN_LEARNERS: set[LearnerName] = {"latent", "analytic"}
"""Learners on top of frozen layers."""

POOLED_LEARNERS: set[LearnerName] = {"analytic"}
"""Learners on top of frozen layers that read the feature ``pooled``, not only ``hidden``."""

ENCODER_LEARNERS: set[LearnerName] = FROZEN_LEARNERS | {"finetune"}
"""Learners that need a transformer."""

ENCODER_TEXTS: dict[TextName, Callable[[str], str]] = {"mail": mail.strip_headers, "plain": str}
"""Preparation of texts that the encoder reads."""

NGRAM_TEXTS: dict[TextName, Callable[[str], str]] = {"mail": mail.repeat_subject, "plain": str}
"""Preparation of texts whose words are counted."""


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """An extractor, the learner of its features, and the description in a checkpoint's manifest."""

    extractor: Extractor
    learner: Learner
    describes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Parts:
    """Extractors, constructors of learners by name, and what a checkpoint must fit."""

    extractors: list[Extractor] = field(default_factory=list)
    constructors: dict[str, Callable[[], Learner]] = field(default_factory=dict)
    describes: dict[str, Any] = field(default_factory=dict)


def build_model(
    model: ModelConfig,
    hardware: HardwareConfig,
    training: TrainingConfig,
    learn_tokens: int,
    seed: int,
) -> BuiltModel:
    """Build an extractor and a learner.

    Parameters
    ----------
    model
        Description of the model, as checkpoints keep the description.
    hardware
        Device, precision and runtime.
    training
        Optimizer and learning rates. Only ``optimizer`` and ``averaging`` must stay the same from
        run to run.
    learn_tokens
        Activations of a document in one step of the latent learner.
    seed
        Seed of random choices and of first weights.

    Raises
    ------
    LearnerError, UnknownModelError, LayersError, DeviceError, RuntimeMissingError
    """
    names = set(model.experts)
    if len(names) < len(model.experts):
        raise LearnerError("an expert is named twice; name each once with --experts")
    parts = _Parts()
    if names & NGRAM_LEARNERS:
        _add_ngrams(parts, model)
    if names & ENCODER_LEARNERS:
        _add_encoder(parts, model, hardware, training, learn_tokens, seed)
    experts = {name: parts.constructors[name]() for name in model.experts}
    describes = asdict(model) | {
        "experts": list(model.experts),
        "optimizer": training.optimizer,
        "averaging": training.averaging,
    }
    return BuiltModel(
        FeatureUnion(parts.extractors) if len(parts.extractors) > 1 else parts.extractors[0],
        _blend(experts) if model.learner == "blend" else experts[model.experts[0]],
        describes | parts.describes,
    )


def _blend(experts: dict[str, Learner]) -> Learner:
    from consumer.learners.blend import Blend  # noqa: PLC0415 - scipy takes half a second

    return Blend(experts)


def _add_ngrams(parts: _Parts, model: ModelConfig) -> None:
    parts.extractors.append(Ngrams(NGRAM_TEXTS[model.text]))
    parts.constructors.update(bayes=ComplementBayes, ngram=NgramSoftmax)


def _add_encoder(
    parts: _Parts,
    model: ModelConfig,
    hardware: HardwareConfig,
    training: TrainingConfig,
    learn_tokens: int,
    seed: int,
) -> None:
    from consumer.features.encoder import Encoder, Tokens  # noqa: PLC0415 - transformers takes seconds
    from consumer.features.frozen import FrozenLayers  # noqa: PLC0415
    from consumer.features.openvino_runtime import find_runtime  # noqa: PLC0415
    from consumer.learners.analytic import AnalyticRidge  # noqa: PLC0415
    from consumer.learners.finetune import FineTune  # noqa: PLC0415
    from consumer.learners.latent import LatentReplay  # noqa: PLC0415

    encoder = Encoder(
        model.model,
        model.max_tokens,
        hardware.device,
        hardware.precision,
        ENCODER_TEXTS[model.text],
    )
    parts.describes.update(encoder.describe())
    names = set(model.experts)
    if names & FROZEN_LEARNERS:
        layers = model.layers
        if layers is None:
            raise LearnerError(
                "with all layers trained, none is left to be frozen; use --learner finetune,"
                " or set --layers to a number"
            )
        frozen = FrozenLayers(
            encoder,
            layers,
            pooled=bool(names & POOLED_LEARNERS),
            latent_tokens=model.latent_tokens,
            runtime=find_runtime(hardware.runtime, encoder),
        )
        parts.extractors.append(frozen)
        parts.constructors.update(
            analytic=lambda: AnalyticRidge(frozen.pooled_width, model.ridge),
            latent=lambda: LatentReplay(
                encoder, layers, model.adapters, learn_tokens, seed, training
            ),
        )
    if "finetune" in names:
        # Fine-tuning changes the encoder, and the frozen layers must stay as they are.
        own = encoder.copy() if names & FROZEN_LEARNERS else encoder
        parts.extractors.append(Tokens(own))
        parts.constructors["finetune"] = lambda: FineTune(
            own, model.layers, model.adapters, seed, training
        )
