"""Latent replay: fine-tune the top layers on remembered activations of the frozen ones below."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from consumer.features.encoder import LENGTH, Encoder, pad, unit_mean
from consumer.features.extractor import Features, extract
from consumer.features.frozen import FrozenLayers
from consumer.features.hardware import autocast
from consumer.features.transformer import (
    UnknownModelError,
    adapt,
    embeddings_of,
    stack_of,
    without_layers,
)
from consumer.learners.config import TrainingConfig
from consumer.learners.gradient import (
    GradientSteps,
)
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch
from newsreel.events.document import Document

CUT_ERROR = 0.05
"""By how much of its length a text's vector may change through cutting: rounding is far less."""


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
        training: TrainingConfig,
    ) -> None:
        self._learn_tokens = learn_tokens
        self._random = torch.Generator().manual_seed(seed)
        top = TopLayers(encoder, layers)
        if adapters:
            adapt(top, adapters, seed)
        self.steps = GradientSteps(top, encoder.width, encoder.device, training)

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents with what is known now."""
        return Predictions(self.steps.predict([row["hidden"] for row in features]))

    def propose(
        self,
        new: TrainingBatch,
        replayed: TrainingBatch,
        predictions: Predictions,  # noqa: ARG002
    ) -> StagedUpdate:
        """Work out one optimizer step on new and replayed documents together."""
        random = torch.Generator()
        random.set_state(self._random.get_state())
        mixed = [self._some(row["hidden"], random) for row in (*new.features, *replayed.features)]
        proposal = self.steps.propose("latent", mixed, [*new.targets, *replayed.targets])

        def apply() -> None:
            self._random = random
            proposal.apply()

        return replace(proposal, apply=apply)

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

    def replay_features(self, features: Features) -> Features:
        """Return as many activations as a step learns from."""
        return {"hidden": self._some(features["hidden"], self._random)}

    def state_dict(self) -> dict[str, Any]:
        """Return what was trained, and the random generator."""
        return {"steps": self.steps.state_dict(), "random": self._random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.steps.load_state_dict(state["steps"])
        self._random.set_state(state["random"])


class TopLayers(nn.Module):
    """The layers above the frozen ones, to be trained: activations in, one vector a text out.

    Parameters
    ----------
    encoder
        Its top layers are copied.
    layers
        How many.

    Raises
    ------
    UnknownModelError
        The architecture can't be cut there.
    """

    def __init__(self, encoder: Encoder, layers: int) -> None:
        super().__init__()
        self._device, self._bf16 = encoder.device, encoder.bf16
        transformer = encoder.transformer
        top = {id(layer) for layer in encoder.top(layers)}
        below = [layer for layer in stack_of(transformer) if id(layer) not in top]
        view = without_layers(transformer, below, bypass=embeddings_of(transformer))
        self._transformer: Any = copy.deepcopy(view)
        for name, parameter in self._transformer.named_parameters():
            parameter.requires_grad_(not name.startswith("pooler."))
        self._check(encoder, layers)

    def forward(self, hidden: Sequence[Tensor]) -> Tensor:
        """Encode texts from activations, a float32 tensor of shape (texts, width)."""
        padded, mask = pad(hidden, self._device)
        if self._bf16 and self._device.type == "cpu":
            # Of torch's fused attention, the backward pass in bf16 takes four times as long.
            self._transformer.set_attn_implementation(
                "eager" if torch.is_grad_enabled() else "sdpa"
            )
        with autocast(self._device, bf16=self._bf16):
            last = self._transformer(
                inputs_embeds=padded.float(), attention_mask=mask.long()
            ).last_hidden_state
        return unit_mean(last, mask)

    @torch.inference_mode()
    def _check(self, encoder: Encoder, layers: int) -> None:
        document = Document("", "the whole is its lower part, then its upper part")
        refusal = UnknownModelError(
            f"{type(encoder.transformer).__name__} can't be cut into frozen and trained layers;"
            " use --learner finetune"
        )
        try:
            below = extract(FrozenLayers(encoder, layers, pooled=False), [document])
            parted = self([features["hidden"] for features in below])
        except Exception as error:  # whatever an architecture raises that misses its parts
            raise refusal from error
        whole = encoder(encoder.tokenize([document.text]))
        if not float((parted - whole).norm()) <= CUT_ERROR * LENGTH:  # no number is no less
            raise refusal
