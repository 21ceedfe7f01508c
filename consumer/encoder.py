"""A pretrained transformer encoder: texts in, one vector a text out."""

import copy
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Self

import structlog
import torch
from torch import Tensor, nn

from consumer.hardware import Precision, autocast, find_device, uses_bf16
from consumer.pooling import pad, unit_mean
from consumer.pretrained import fingerprint, load, longest_input, stack_of
from service.errors import UserError

CHARACTERS_A_TOKEN = 20
"""So many characters for each token are looked at: of a huge text, the rest would not be read."""


log = structlog.get_logger()


class LayersError(UserError):
    """The encoder has fewer layers than are to be trained."""


class Encoder(nn.Module):
    """Mean-pooled last hidden states of a transformer.

    Parameters
    ----------
    name
        `DEFAULT_MODEL`, or what ``transformers`` takes: a folder or a name on the model hub.
    max_tokens
        Tokens of a text that are read; the rest is cut off.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``...
    precision
        Of matrix products: ``bf16``, ``fp32``, or ``auto`` for bf16 where the hardware has it.
    view
        What of a text is read, as a text.

    Raises
    ------
    UnknownModelError, DeviceError
    """

    def __init__(
        self,
        name: str,
        max_tokens: int,
        device: str,
        precision: Precision,
        view: Callable[[str], str] = str,
    ) -> None:
        super().__init__()
        self.name = name
        self._view = view
        self.device = find_device(device)
        self.precision = precision
        self.bf16 = uses_bf16(self.device, precision)
        self.transformer, self._tokenizer = load(name)
        self.transformer.to(self.device).eval()  # no dropout: the stream is read once
        self.max_tokens = min(max_tokens, longest_input(self.transformer, self._tokenizer))
        if self.max_tokens < max_tokens:
            log.warning("the model reads no more tokens", model=name, max_tokens=self.max_tokens)
        self.width = int(self.transformer.config.hidden_size)
        self.weights_sha256 = fingerprint(self.transformer)

    def tokenize(self, texts: Sequence[str]) -> list[Tensor]:
        """Return the token numbers of each text, int32 tensors of shape (tokens,)."""
        longest = CHARACTERS_A_TOKEN * self.max_tokens
        read = [self._view(text)[:longest] for text in texts]
        encoded = self._tokenizer(read, truncation=True, max_length=self.max_tokens)
        return [torch.tensor(numbers, dtype=torch.int32) for numbers in encoded["input_ids"]]

    def forward(self, tokens: Sequence[Tensor]) -> Tensor:
        """Encode tokenized texts, a float32 tensor of shape (texts, width)."""
        padded, mask = pad(tokens, self.device)
        with self.autocast():
            hidden = self.transformer(
                input_ids=padded.long(), attention_mask=mask.long()
            ).last_hidden_state
        return unit_mean(hidden, mask)

    def autocast(self) -> torch.autocast:
        """Return the context of matrix products in the chosen precision."""
        return autocast(self.device, bf16=self.bf16)

    def describe(self) -> dict[str, Any]:
        """Return what its output depends on."""
        return {"model_weights": self.weights_sha256, "max_tokens": self.max_tokens}

    def train_top(self, layers: int | None) -> None:
        """Freeze all but the top layers; None trains everything.

        Raises
        ------
        LayersError
            It has fewer.
        """
        frozen: list[nn.Parameter] = []
        if layers is not None:
            top = {id(p) for layer in self.top(layers) for p in layer.parameters()}
            # Modules are registered from the input up: what comes before the top is below it.
            frozen += takewhile(lambda p: id(p) not in top, self.transformer.parameters())
        # The pooler feeds nothing here: mean pooling takes its place.
        frozen += [
            p for name, p in self.transformer.named_parameters() if name.startswith("pooler.")
        ]
        for parameter in frozen:
            parameter.requires_grad_(False)

    def top(self, layers: int) -> list[nn.Module]:
        """Return the top layers, the lowest of them first.

        Raises
        ------
        LayersError
            It has fewer.
        """
        stack = stack_of(self.transformer)
        if layers > len(stack):
            raise LayersError(
                f"{self.name} has {len(stack)} layers, {layers} can't be trained; set --layers"
            )
        return list(stack[len(stack) - layers :])

    def copy(self) -> Self:
        """Return an encoder with weights of its own."""
        return copy.deepcopy(self)
