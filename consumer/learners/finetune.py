"""Fine-tune a transformer on the stream: the update newsreel is about."""

from collections.abc import Sequence
from typing import Any

import torch

from consumer.encoder import Encoder
from consumer.features import Features
from consumer.learners.gradient import GradientSteps, Training
from consumer.learners.protocol import Forecast, Lesson, Proposal
from events.document import Document
from service.errors import UserError


class AdaptersError(UserError):
    """Adapters have no place in this encoder."""


class Tokens:
    """Extracts ``tokens``: token numbers, int32, shape (tokens,)."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the tokens of each document."""
        rows = self._encoder.tokenize([document.text for document in documents])
        return [{"tokens": row} for row in rows]

    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        """Return the tokens as they are."""
        return [{"tokens": row["tokens"]} for row in read]


class FineTune:
    """Gradient steps through a transformer, from the tokens up.

    Parameters
    ----------
    encoder
        It is changed.
    layers
        Layers to train from the top; None for all of them and the embeddings.
    adapters
        Rank of low-rank adapters (Hu et al. 2022, "LoRA") that are trained instead of the layers
        themselves: few parameters, small checkpoints. 0 for none.
    seed
        Of the adapters' first weights.
    training
        Optimizer and rates.
    """

    def __init__(
        self,
        encoder: Encoder,
        layers: int | None,
        adapters: int,
        seed: int,
        training: Training,
    ) -> None:
        encoder.train_top(layers)
        if adapters:
            adapt(encoder, adapters, seed)
        self.steps = GradientSteps(encoder, encoder.width, encoder.device, training)

    def predict_many(self, features: Sequence[Features]) -> Forecast:
        """Predict documents with what is known now."""
        return Forecast(self.steps.predict([row["tokens"] for row in features]))

    def propose(self, new: Lesson, replayed: Lesson, forecast: Forecast) -> Proposal:  # noqa: ARG002
        """Work out one optimizer step on new and replayed documents together."""
        mixed = [row["tokens"] for row in (*new.features, *replayed.features)]
        return self.steps.propose("finetune", mixed, [*new.targets, *replayed.targets])

    def forget(self, targets: Sequence[int]) -> None:
        """Begin anew with some labels' outputs; the layers below stay."""
        self.steps.forget(targets)

    def hasten(self, factor: float) -> None:
        """Take longer or shorter steps."""
        self.steps.hasten(factor)

    def reweigh(self) -> None:
        """Change nothing: it is one expert."""

    def keep(self, features: Features) -> Features:
        """Return the tokens."""
        return {"tokens": features["tokens"]}

    def state_dict(self) -> dict[str, Any]:
        """Return what was trained; frozen weights are not in it."""
        return self.steps.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.steps.load_state_dict(state)


def adapt(module: Any, rank: int, seed: int) -> None:
    """Put adapters beside the linear maps that are trained, which are frozen in turn."""
    import peft  # noqa: PLC0415 - takes seconds, and most runs have no adapters

    linear = [
        name
        for name, part in module.named_modules()
        if type(part).__name__ == "Linear" and part.weight.requires_grad
    ]
    if any(parameter.requires_grad for parameter in module.parameters()) and not linear:
        raise AdaptersError("the encoder has no linear layers to adapt; use --adapters 0")
    if linear:
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear)
        with torch.random.fork_rng():  # peft draws from the global generator
            torch.manual_seed(seed)
            peft.inject_adapter_in_model(config, module)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_("lora_" in name)
