"""Texts of different lengths side by side, and one vector for each."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LENGTH = 10.0
"""Euclidean norm of every pooled vector."""


def pad(rows: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Stack tensors of different lengths.

    Returns
    -------
    tuple
        The rows, shape (rows, longest, ...), zeros behind their ends, and a mask of shape
        (rows, longest) that is true where a row has something.
    """
    padded = nn.utils.rnn.pad_sequence(list(rows), batch_first=True).to(device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return padded, torch.arange(padded.shape[1], device=device) < lengths.unsqueeze(1)


def condense(hidden: Tensor, rows: int) -> Tensor:
    """Average neighbours where there are more tokens than ``rows``; the first stays by itself.

    As Dai et al. (2020), "Funnel-Transformer", shorten a sequence between two layers.

    Parameters
    ----------
    hidden
        Hidden states of one text, shape (tokens, width).
    rows
        How many may be left, 2 at least.
    """
    tokens = len(hidden)
    if tokens <= rows:
        return hidden
    group = 1 + torch.arange(tokens - 1) * (rows - 1) // (tokens - 1)
    group = torch.cat([torch.zeros(1, dtype=torch.long), group])
    sums = torch.zeros(rows, hidden.shape[1]).index_add_(0, group, hidden.float())
    return (sums / group.bincount().unsqueeze(1)).to(hidden.dtype)


def unit_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average hidden states over the tokens, scaled to Euclidean norm `LENGTH`.

    Pooled as in Reimers and Gurevych (2019), "Sentence-BERT"; scaled, so that learning rates carry
    over from one encoder to another.
    """
    return LENGTH * nn.functional.normalize(mean(hidden, mask), dim=-1)


def mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average hidden states of shape (texts, tokens, width) over the tokens that are there."""
    weight = mask.unsqueeze(-1)
    return (hidden.float() * weight).sum(1) / weight.sum(1).clamp(min=1)
