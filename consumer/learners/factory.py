"""Puts an extractor and a learner together that fit each other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from consumer.features import mail
from consumer.features.encoder import Encoder, Tokens
from consumer.features.extractor import Extractor, FeatureUnion
from consumer.features.frozen import FrozenLayers
from consumer.features.hardware import Precision
from consumer.features.ngrams import Ngrams
from consumer.features.openvino_runtime import RuntimeName, find_runtime
from consumer.learners.analytic import AnalyticRidge
from consumer.learners.bayes import ComplementBayes
from consumer.learners.blend import Blend
from consumer.learners.finetune import FineTune
from consumer.learners.gradient import TrainingConfig
from consumer.learners.latent import LatentReplay
from consumer.learners.ngram import NgramSoftmax
from consumer.learners.protocol import Learner
from newsreel.common.errors import UserError

TextName = Literal["mail", "plain"]

LearnerName = Literal["blend", "latent", "analytic", "bayes", "ngram", "finetune"]

TEXTS: dict[TextName, Callable[[str], str]] = {"mail": mail.strip_headers, "plain": str}
"""What the encoder reads."""

WORDS: dict[TextName, Callable[[str], str]] = {"mail": mail.repeat_subject, "plain": str}
"""What n-grams are of."""


class LearnerError(UserError):
    """There is no such learner, or not of these parts."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What a checkpoint fits: to restore one, the same parts must be put together.

    ``experts`` are those of a blend, or the one learner that is asked for. ``layers`` are trained
    from the top, None for all of them.
    """

    learner: LearnerName
    experts: tuple[str, ...]
    model: str
    text: TextName
    max_tokens: int
    latent_tokens: int
    layers: int | None
    adapters: int
    ridge: float

    @classmethod
    def read(cls, described: dict[str, Any]) -> Self:
        """Read the recipe in what `BuiltModel.describes` gave to a checkpoint.

        Raises
        ------
        LearnerError
            It is of something else.
        """
        try:
            fields = {name: described[name] for name in cls.__dataclass_fields__}
        except KeyError as error:
            raise LearnerError(
                f"the checkpoint does not say its {error}; it is of another newsreel"
            ) from error
        return replace(cls(**fields), experts=tuple(fields["experts"]))


@dataclass(frozen=True, slots=True)
class HardwareConfig:
    """What it runs on: changes nothing but rounding."""

    device: str
    precision: Precision
    runtime: RuntimeName


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
