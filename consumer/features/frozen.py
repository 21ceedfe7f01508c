"""Run the frozen layers of a transformer, once for each document."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from consumer.features.encoder import Encoder, Tokens, average_neighbours, masked_mean, pad
from consumer.features.extractor import Features
from consumer.features.openvino_runtime import Runtime
from consumer.features.transformer import layers_of, without_layers
from newsreel.events.document import Document

POOLED_LAYERS = 4
"""Number of averaged hidden states, evenly spaced from the embeddings to the last layer."""

MAX_LENGTH_RATIO = 1.25
"""Largest ratio of the lengths of two texts in a bucket..."""

MIN_BUCKET = 4
"""...of more than this many texts: fewer would not fill the processor."""


class FrozenLayers:
    """Extract the features that learners on top of a frozen transformer need.

    ``hidden``
        Activations below the trained layers: float16, shape (tokens, width). Neighbouring
        activations of a long text are averaged.
    ``pooled``
        Averages of several hidden states, and the first token and the maximum of the last one,
        each scaled to norm sqrt(width): float32, shape (1, 6 * width).

    Parameters
    ----------
    encoder
        Encoder whose layers are run; its weights are not changed.
    trained
        Number of layers above the activations.
    pooled
        Whether to extract ``pooled``. If not, the trained layers need not run.
    latent_tokens
        Activations of a text at most; None for one a token.
    runtime
        Compiler of the transformer; None runs the transformer in torch.
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
        self._tokens = Tokens(encoder)
        self._latent_tokens = latent_tokens or encoder.max_tokens
        top = encoder.top(trained)
        self._cut = len(layers_of(encoder.transformer)) - trained
        self._pooled = pooled
        self.pooled_width = (POOLED_LAYERS + 2) * encoder.width
        # One trained layer stays: a stack may end with a part of its own, such as a norm.
        lower = without_layers(encoder.transformer, [] if pooled else top[1:])
        self._module = _FrozenModule(lower, self._cut, pooled=pooled)
        self._run = self._module if runtime is None else runtime(self._module)

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the ``tokens`` of each document: int32, shape (tokens,)."""
        return self._tokens.tokenize_many(documents)

    @torch.no_grad()  # not inference_mode: these tensors will meet gradients
    def extract_many(self, tokenized: Sequence[Features]) -> list[Features]:
        """Return the features of each document."""
        tokens = [row["tokens"] for row in tokenized]
        features: dict[int, Features] = {}
        for bucket in buckets([len(row) for row in tokens]):
            ids, mask = pad([tokens[index] for index in bucket], self._encoder.device)
            with self._encoder.autocast():
                hidden, pooled = self._run(ids.long(), mask.long())
            for index, states, row in zip(
                bucket, hidden.half().cpu(), pooled.float().cpu(), strict=True
            ):
                shortened = average_neighbours(states[: len(tokens[index])], self._latent_tokens)
                features[index] = {"hidden": shortened.clone()} | (
                    {"pooled": row.unsqueeze(0).clone()} if self._pooled else {}
                )
        return [features[index] for index in range(len(tokenized))]


def buckets(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group texts of similar length, so that little time is spent on padding.

    Parameters
    ----------
    lengths
        Number of tokens of each text.

    Yields
    ------
    list
        Indices of the texts of a bucket.
    """
    bucket: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if len(bucket) >= MIN_BUCKET and lengths[index] > MAX_LENGTH_RATIO * lengths[bucket[0]]:
            yield bucket
            bucket = []
        bucket.append(index)
    if bucket:
        yield bucket


class _FrozenModule(nn.Module):
    """Compute activations at the cut, and pooled features, from token numbers and a mask."""

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
        is_token = mask.bool()
        count = len(states) - 1
        chosen = [states[round(i * count / (POOLED_LAYERS - 1))] for i in range(POOLED_LAYERS)]
        vectors = [masked_mean(state, is_token) for state in chosen]
        last = states[-1].float()
        vectors += [last[:, 0], last.masked_fill(~is_token.unsqueeze(-1), -1e4).amax(1)]
        width = states[-1].shape[-1]  # features of about unit variance
        scaled = [width**0.5 * nn.functional.normalize(vector, dim=-1) for vector in vectors]
        return states[self._cut], torch.cat(scaled, 1)
