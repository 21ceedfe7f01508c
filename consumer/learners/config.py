"""Choices of learner and training. Imports nothing heavy: options are parsed with it."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from consumer.features.config import TextName
from newsreel.common.errors import UserError

LearnerName = Literal["blend", "latent", "analytic", "bayes", "ngram", "finetune"]

OptimizerName = Literal["adamw", "sgd"]


class LearnerError(UserError):
    """The configuration describes no learner."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Describe the model that a checkpoint belongs to; only an equal one can restore it.

    Parameters
    ----------
    learner
        Name of the learner.
    experts
        Names of the learners of a blend, else only the learner's own name.
    model
        Encoder: `DEFAULT_MODEL`, a Hugging Face name or a folder.
    text
        Preparation of each text: ``mail`` or ``plain``.
    max_tokens
        Tokens read of a text; the rest is cut off.
    latent_tokens
        Activations of a text for the latent learner.
    layers
        Number of layers to train, from the top; None for all of them.
    adapters
        Rank of low-rank adapters that are trained instead of whole layers; 0 for none.
    ridge
        Strength of the analytic learner's regularization.
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
    def read(cls, describes: dict[str, Any]) -> Self:
        """Read the configuration from the description in a checkpoint's manifest.

        Parameters
        ----------
        describes
            `BuiltModel.describes` of the model that was saved.

        Raises
        ------
        LearnerError
            The description lacks a field.
        """
        try:
            fields = {name: describes[name] for name in cls.__dataclass_fields__}
        except KeyError as error:
            raise LearnerError(
                f"the checkpoint does not say its {error}; it is of another newsreel"
            ) from error
        return replace(cls(**fields), experts=tuple(fields["experts"]))


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Describe how gradients become steps.

    Parameters
    ----------
    optimizer
        ``adamw`` (Loshchilov and Hutter 2019) or ``sgd`` with momentum 0.9.
    learning_rate
        Learning rate of the transformer's layers.
    head_learning_rate
        Learning rate of the output layer.
    averaging
        Decay of the exponential average of the weights, which predicts; 0 predicts with the
        weights themselves.
    logit_adjustment
        Strength of the logit adjustment (Menon et al. 2021); 0 for none.
    """

    optimizer: OptimizerName
    learning_rate: float
    head_learning_rate: float
    averaging: float
    logit_adjustment: float
