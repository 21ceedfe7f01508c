"""Latent replay: fine-tune the top layers on remembered activations of the frozen ones below."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from consumer.encoder import Encoder
from consumer.features import Features
from consumer.frozen import TopLayers
from consumer.learners.finetune import adapt
from consumer.learners.gradient import GradientSteps, Training
from consumer.learners.protocol import Forecast, Lesson, Proposal


class LatentReplay:
    """Gradient steps through the top layers only; a document passes the layers below once.

    Pellegrini et al. (2020), "Latent replay for real-time continual learning". Of long documents
    each step sees a random part of the activations, which costs less in proportion and regularizes
    (as in Li et al. 2023, "Scaling language-image pre-training via masking").

    The buffer keeps such a part, in half precision and without padding: 2 * width bytes an
    activation, 24 KiB for 32 of width 384.

    Parameters
    ----------
    encoder
        Not changed by it.
    layers
        Layers to train, from the top.
    adapters
        Rank of low-rank adapters to train instead of the layers themselves; 0 for none.
    learn_tokens
        Activations of a document that a step learns from.
    seed
        Of their choice, and of the adapters' first weights.
    training
        Optimizer and rates.
    """

    def __init__(
        self,
        encoder: Encoder,
        layers: int,
        adapters: int,
        learn_tokens: int,
        seed: int,
        training: Training,
    ) -> None:
        self._learn_tokens = learn_tokens
        self._random = torch.Generator().manual_seed(seed)
        top = TopLayers(encoder, layers)
        if adapters:
            adapt(top, adapters, seed)
        self.steps = GradientSteps(top, encoder.width, encoder.device, training)

    def predict_many(self, features: Sequence[Features]) -> Forecast:
        """Predict documents with what is known now."""
        return Forecast(self.steps.predict([row["hidden"] for row in features]))

    def propose(self, new: Lesson, replayed: Lesson, forecast: Forecast) -> Proposal:  # noqa: ARG002
        """Work out one optimizer step on new and replayed documents together."""
        random = torch.Generator()
        random.set_state(self._random.get_state())
        mixed = [self._some(row["hidden"], random) for row in (*new.features, *replayed.features)]
        proposal = self.steps.propose("latent", mixed, [*new.targets, *replayed.targets])

        def accept() -> None:
            self._random = random
            proposal.accept()

        return replace(proposal, accept=accept)

    def _some(self, hidden: Tensor, random: torch.Generator) -> Tensor:
        """Choose activations at random, the first always among them; their order stays."""
        if len(hidden) <= self._learn_tokens:
            return hidden
        others = 1 + torch.randperm(len(hidden) - 1, generator=random)
        chosen = torch.cat([torch.zeros(1, dtype=torch.long), others[: self._learn_tokens - 1]])
        return hidden[chosen.sort().values]

    def forget(self, targets: Sequence[int]) -> None:
        """Begin anew with some labels' outputs; the layers below stay."""
        self.steps.forget(targets)

    def hasten(self, factor: float) -> None:
        """Take longer or shorter steps."""
        self.steps.hasten(factor)

    def reweigh(self) -> None:
        """Change nothing: it is one expert."""

    def keep(self, features: Features) -> Features:
        """Return as many activations as a step learns from."""
        return {"hidden": self._some(features["hidden"], self._random)}

    def state_dict(self) -> dict[str, Any]:
        """Return what was trained, and the random generator."""
        return {"steps": self.steps.state_dict(), "random": self._random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.steps.load_state_dict(state["steps"])
        self._random.set_state(state["random"])
