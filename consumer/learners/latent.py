"""Latent replay: fine-tune the top layers on stored activations of the frozen layers below."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from consumer.features.encoder import VECTOR_NORM, Encoder, normalized_mean, pad
from consumer.features.extractor import Features, extract
from consumer.features.frozen import FrozenLayers
from consumer.features.hardware import autocast
from consumer.features.transformer import (
    UnknownModelError,
    add_adapters,
    embeddings_of,
    layers_of,
    without_layers,
)
from consumer.learners.config import TrainingConfig
from consumer.learners.gradient import GradientSteps
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch
from newsreel.events.document import Document

MAX_CUT_ERROR = 0.05
"""Largest relative change of a text's vector through the cut: rounding changes it far less."""


class LatentReplay:
    """Take gradient steps through the top layers; a document passes the layers below once.

    Pellegrini et al. (2020), "Latent replay for real-time continual learning". Each step sees a
    random part of the activations of a long document, which costs less in proportion and
    regularizes (as in Li et al. 2023, "Scaling language-image pre-training via masking").

    The replay buffer stores such a part, in half precision and without padding: 2 * width bytes an
    activation, 24 KiB for 32 activations of width 384.

    Parameters
    ----------
    encoder
        Encoder whose top layers are copied; its weights are not changed.
    layers
        Number of layers to train, from the top.
    adapters
        Rank of low-rank adapters to train instead of the layers themselves; 0 for none.
    learn_tokens
        Activations of a document in one step.
    seed
        Seed of their choice, and of the adapters' first weights.
    training
        Optimizer and learning rates.
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
            add_adapters(top, adapters, seed)
        self.steps = GradientSteps(top, encoder.width, encoder.device, training)

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents."""
        return Predictions(self.steps.predict([row["hidden"] for row in features]))

    def propose(
        self,
        new: TrainingBatch,
        replayed: TrainingBatch,
        predictions: Predictions,  # noqa: ARG002
    ) -> StagedUpdate:
        """Compute one optimizer step on new and replayed documents together."""
        random = torch.Generator()
        random.set_state(self._random.get_state())
        hidden = [
            self._sample(row["hidden"], random) for row in (*new.features, *replayed.features)
        ]
        update = self.steps.propose("latent", hidden, [*new.targets, *replayed.targets])

        def apply() -> None:
            self._random = random
            update.apply()

        return replace(update, apply=apply)

    def _sample(self, hidden: Tensor, random: torch.Generator) -> Tensor:
        """Draw activations, the first always among them; their order stays."""
        if len(hidden) <= self._learn_tokens:
            return hidden
        others = 1 + torch.randperm(len(hidden) - 1, generator=random)
        chosen = torch.cat([torch.zeros(1, dtype=torch.long), others[: self._learn_tokens - 1]])
        return hidden[chosen.sort().values]

    def forget(self, targets: Sequence[int]) -> None:
        """Reset the outputs of some labels; the layers below stay."""
        self.steps.forget(targets)

    def replay_features(self, features: Features) -> Features:
        """Return as many activations as a step learns from."""
        return {"hidden": self._sample(features["hidden"], self._random)}

    def state_dict(self) -> dict[str, Any]:
        """Return the trained weights and the random generator."""
        return {"steps": self.steps.state_dict(), "random": self._random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.steps.load_state_dict(state["steps"])
        self._random.set_state(state["random"])


class TopLayers(nn.Module):
    """Encode texts from the activations below the top layers, which are trained.

    Parameters
    ----------
    encoder
        Encoder whose top layers are copied.
    layers
        Number of layers.

    Raises
    ------
    UnknownModelError
        The architecture can't be split into lower and upper layers.
    """

    def __init__(self, encoder: Encoder, layers: int) -> None:
        super().__init__()
        self._device, self._bf16 = encoder.device, encoder.bf16
        transformer = encoder.transformer
        top = {id(layer) for layer in encoder.top(layers)}
        below = [layer for layer in layers_of(transformer) if id(layer) not in top]
        view = without_layers(transformer, below, bypass=embeddings_of(transformer))
        self._transformer: Any = copy.deepcopy(view)
        for name, parameter in self._transformer.named_parameters():
            parameter.requires_grad_(not name.startswith("pooler."))
        self._compare(encoder, layers)

    def forward(self, hidden: Sequence[Tensor]) -> Tensor:
        """Encode texts from activations: a float32 tensor of shape (texts, width)."""
        padded, mask = pad(hidden, self._device)
        if self._bf16 and self._device.type == "cpu":
            # The backward pass of torch's fused attention takes four times as long in bf16.
            self._transformer.set_attn_implementation(
                "eager" if torch.is_grad_enabled() else "sdpa"
            )
        with autocast(self._device, bf16=self._bf16):
            last = self._transformer(
                inputs_embeds=padded.float(), attention_mask=mask.long()
            ).last_hidden_state
        return normalized_mean(last, mask)

    @torch.inference_mode()
    def _compare(self, encoder: Encoder, layers: int) -> None:
        """Require that lower and upper layers in turn give the whole encoder's vector."""
        document = Document("", "the whole is its lower part, then its upper part")
        refusal = UnknownModelError(
            f"{type(encoder.transformer).__name__} can't be split into frozen and trained layers;"
            " use --learner finetune"
        )
        try:
            below = extract(FrozenLayers(encoder, layers, pooled=False), [document])
            split = self([features["hidden"] for features in below])
        except Exception as error:  # whatever an architecture raises without some of its parts
            raise refusal from error
        whole = encoder(encoder.tokenize([document.text]))
        if not float((split - whole).norm()) <= MAX_CUT_ERROR * VECTOR_NORM:  # rejects NaN, too
            raise refusal
