"""The frozen transformer: it reads each document once, however often the document is learned."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from consumer.encoder import Encoder
from consumer.features import Features, extract
from consumer.hardware import autocast
from consumer.pooling import LENGTH, condense, mean, pad, unit_mean
from consumer.pretrained import UnknownModelError, stack_of
from consumer.runtime import Runtime
from events.document import Document

POOLED_LAYERS = 4
"""Hidden states that are averaged, from the embeddings to the last layer, evenly spaced."""
SPREAD = 1.25
"""Texts read together differ in length by this factor at most..."""
TOGETHER = 4
"""...but so many are read together anyhow: alone they would not fill the processor."""
CUT_ERROR = 0.05
"""By how much of its length a text's vector may change through cutting: rounding is far less."""


class FrozenLayers:
    """Extracts what the learners on top of a frozen transformer need.

    ``hidden``
        Activations below the trained layers, float16, shape (tokens, width); of a long text,
        averages of neighbouring ones.
    ``pooled``
        Averages of several hidden states, the first token's and the largest of the last one, each
        scaled to norm sqrt(width): float32, shape (1, 6 * width).

    Parameters
    ----------
    encoder
        Not changed by it.
    trained
        Layers above the activations.
    pooled
        Whether to pool. If not, the layers above the activations need not run.
    latent_tokens
        Activations of a text at most; None for one a token.
    runtime
        Compiles the transformer to something faster; None runs it as it is.
    """

    def __init__(
        self,
        encoder: Encoder,
        trained: int,
        *,
        pooled: bool,
        latent_tokens: int | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self._encoder = encoder
        self._latent_tokens = latent_tokens or encoder.max_tokens
        top = encoder.top(trained)
        self._cut = len(stack_of(encoder.transformer)) - trained
        self._pooled = pooled
        self.pooled_width = (POOLED_LAYERS + 2) * encoder.width
        # One more is left: a stack ends with what comes behind it, a last norm for one.
        lower = _without(encoder.transformer, [] if pooled else top[1:])
        self._read = _Reader(lower, self._cut, pooled=pooled)
        self._run = self._read if runtime is None else runtime(self._read)

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the ``tokens`` of each document, int32, shape (tokens,)."""
        rows = self._encoder.tokenize([document.text for document in documents])
        return [{"tokens": row} for row in rows]

    @torch.no_grad()  # not inference_mode: these tensors will meet gradients
    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        """Return the features of each document."""
        tokens = [row["tokens"] for row in read]
        features: dict[int, Features] = {}
        for group in buckets([len(row) for row in tokens]):
            ids, mask = pad([tokens[index] for index in group], self._encoder.device)
            with self._encoder.autocast():
                hidden, pooled = self._run(ids.long(), mask.long())
            for index, states, row in zip(
                group, hidden.half().cpu(), pooled.float().cpu(), strict=True
            ):
                kept = condense(states[: len(tokens[index])], self._latent_tokens)
                features[index] = {"hidden": kept.clone()} | (
                    {"pooled": row.unsqueeze(0).clone()} if self._pooled else {}
                )
        return [features[index] for index in range(len(read))]


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
        view = _without(transformer, below, bypass=_embeddings(transformer))
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


def buckets(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group texts of similar length, so that little is spent on padding.

    Parameters
    ----------
    lengths
        Tokens of each text.

    Yields
    ------
    list
        Indices of texts to be read together.
    """
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if len(group) >= TOGETHER and lengths[index] > SPREAD * lengths[group[0]]:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


class _Reader(nn.Module):
    """Token numbers and mask in, activations at the cut and pooled features out."""

    def __init__(self, transformer: nn.Module, cut: int, *, pooled: bool) -> None:
        super().__init__()
        self._transformer = transformer
        self._cut = cut
        self._pooled = pooled

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        states = self._transformer(
            input_ids=ids, attention_mask=mask, output_hidden_states=True
        ).hidden_states
        if not self._pooled:
            return states[self._cut], states[self._cut][:, 0]
        there = mask.bool()
        count = len(states) - 1
        chosen = [states[round(i * count / (POOLED_LAYERS - 1))] for i in range(POOLED_LAYERS)]
        parts = [mean(state, there) for state in chosen]
        last = states[-1].float()
        parts += [last[:, 0], last.masked_fill(~there.unsqueeze(-1), -1e4).amax(1)]
        width = states[-1].shape[-1]  # features of about unit variance
        scaled = [width**0.5 * nn.functional.normalize(part, dim=-1) for part in parts]
        return states[self._cut], torch.cat(scaled, 1)


class _Bypass(nn.Module):
    """Stands where the embeddings were, and lets through what comes instead of them."""

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        return next(
            value
            for value in (*inputs, *named.values())
            if isinstance(value, Tensor) and value.is_floating_point()
        )


def _without(
    transformer: nn.Module, layers: Sequence[nn.Module], bypass: nn.Module | None = None
) -> nn.Module:
    """View a transformer without some of its layers, one of its parts bypassed: same weights."""
    stack = stack_of(transformer)
    gone = {id(layer) for layer in layers}
    places = [number for number, layer in enumerate(stack) if id(layer) in gone]
    memo: dict[int, Any] = {id(weight): weight for weight in transformer.parameters()}
    memo |= {id(layer): nn.Identity() for layer in layers}
    if bypass is not None:
        memo[id(bypass)] = _Bypass()
    view: nn.Module = copy.deepcopy(transformer, memo)
    shortened: nn.ModuleList = memo[id(stack)]
    for number in reversed(places):
        del shortened[number]
    return view


def _embeddings(transformer: Any) -> nn.Module:
    """Find the part that turns token numbers into the first layer's input."""
    words = transformer.get_input_embeddings()
    for child in transformer.children():
        if any(module is words for module in child.modules()):
            found: nn.Module = child
            return found
    raise UnknownModelError(
        f"{type(transformer).__name__} has no embeddings of its own; use --learner finetune"
    )
