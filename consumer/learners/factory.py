"""Puts an extractor and a learner together that fit each other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from consumer.features import mail
from consumer.features.config import HardwareConfig, TextName
from consumer.features.encoder import Encoder, Tokens
from consumer.features.extractor import Extractor, FeatureUnion
from consumer.features.frozen import FrozenLayers
from consumer.features.ngrams import Ngrams
from consumer.features.openvino_runtime import (
    find_runtime,
)
from consumer.learners.analytic import AnalyticRidge
from consumer.learners.bayes import ComplementBayes
from consumer.learners.blend import Blend
from consumer.learners.config import LearnerError, ModelConfig, TrainingConfig
from consumer.learners.finetune import FineTune
from consumer.learners.latent import LatentReplay
from consumer.learners.ngram import NgramSoftmax
from consumer.learners.protocol import Learner

TEXTS: dict[TextName, Callable[[str], str]] = {"mail": mail.strip_headers, "plain": str}
"""What the encoder reads."""

WORDS: dict[TextName, Callable[[str], str]] = {"mail": mail.repeat_subject, "plain": str}
"""What n-grams are of."""


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """An extractor, the learner of its features, and what a checkpoint of them fits."""

    extractor: Extractor
    learner: Learner
    describes: dict[str, Any]


def build_model(
    recipe: ModelConfig,
    machine: HardwareConfig,
    training: TrainingConfig,
    learn_tokens: int,
    seed: int,
) -> BuiltModel:
    """Build what a recipe asks for.

    Parameters
    ----------
    training, learn_tokens, seed
        As the learners take them. But for ``optimizer`` and ``averaging`` they may differ from
        run to run.

    Raises
    ------
    LearnerError, UnknownModelError, LayersError, DeviceError, RuntimeMissingError
    """
    wanted = set(recipe.experts)
    if len(wanted) < len(recipe.experts):
        raise LearnerError("an expert is named twice; name each once with --experts")
    describes = asdict(recipe) | {
        "experts": list(recipe.experts),
        "optimizer": training.optimizer,
        "averaging": training.averaging,
    }
    build: dict[str, Callable[[], Learner]] = {"bayes": ComplementBayes, "ngram": NgramSoftmax}
    extractors: list[Extractor] = []
    if wanted & {"bayes", "ngram"}:
        extractors.append(Ngrams(WORDS[recipe.text]))
    if wanted & {"latent", "analytic", "finetune"}:
        encoder = Encoder(
            recipe.model,
            recipe.max_tokens,
            machine.device,
            machine.precision,
            TEXTS[recipe.text],
        )
        describes |= encoder.describe()
    if wanted & {"latent", "analytic"}:
        layers = recipe.layers
        if layers is None:
            raise LearnerError(
                "with all layers trained there is none left to be frozen; use --learner finetune,"
                " or set --layers to a number"
            )
        frozen = FrozenLayers(
            encoder,
            layers,
            pooled="analytic" in wanted,
            latent_tokens=recipe.latent_tokens,
            runtime=find_runtime(machine.runtime, encoder),
        )
        extractors.append(frozen)
        build["analytic"] = lambda: AnalyticRidge(frozen.pooled_width, recipe.ridge)
        build["latent"] = lambda: LatentReplay(
            encoder, layers, recipe.adapters, learn_tokens, seed, training
        )
    if "finetune" in wanted:
        # It changes its encoder, and the frozen layers must stay as they are.
        own = encoder.copy() if wanted & {"latent", "analytic"} else encoder
        extractors.append(Tokens(own))
        build["finetune"] = lambda: FineTune(own, recipe.layers, recipe.adapters, seed, training)
    experts: dict[str, Learner] = {name: build[name]() for name in recipe.experts}
    learner = Blend(experts) if recipe.learner == "blend" else experts[recipe.experts[0]]
    extractor = FeatureUnion(extractors) if len(extractors) > 1 else extractors[0]
    return BuiltModel(extractor, learner, describes)
