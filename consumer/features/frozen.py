"""The frozen transformer: it reads each document once, however often the document is learned."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from consumer.features.encoder import Encoder, average_neighbours, mean, pad
from consumer.features.extractor import Features
from consumer.features.openvino_runtime import Runtime
from consumer.features.transformer import stack_of, without_layers
from newsreel.events.document import Document

POOLED_LAYERS = 4
"""Hidden states that are averaged, from the embeddings to the last layer, evenly spaced."""

SPREAD = 1.25
"""Texts read together differ in length by this factor at most..."""

SMALLEST_BUCKET = 4
"""...but so many are read together anyhow: alone they would not fill the processor."""


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
        lower = without_layers(encoder.transformer, [] if pooled else top[1:])
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
                kept = average_neighbours(states[: len(tokens[index])], self._latent_tokens)
                features[index] = {"hidden": kept.clone()} | (
                    {"pooled": row.unsqueeze(0).clone()} if self._pooled else {}
                )
        return [features[index] for index in range(len(read))]


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
        if len(group) >= SMALLEST_BUCKET and lengths[index] > SPREAD * lengths[group[0]]:
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
