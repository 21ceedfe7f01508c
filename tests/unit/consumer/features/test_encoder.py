"""Encode texts of every kind."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from consumer.features.config import DEFAULT_MODEL
from consumer.features.encoder import VECTOR_NORM, Encoder, LayersError


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(DEFAULT_MODEL, max_tokens=32, device="cpu", precision="fp32")


def encode(encoder: Encoder, texts: list[str]) -> torch.Tensor:
    with torch.inference_mode():
        vectors: torch.Tensor = encoder(encoder.tokenize(texts))
    return vectors


UNUSUAL = [
    "\u200b",
    "\x00",
    "\u202e reversed",
    "\ufffd\ufeff",
    "e" + "\u0301" * 1000,
    "👩‍👩‍👧‍👦 " * 50,
    "ﷺ ฿ ✓ \U0010ffff",
    "一" * 5000,
    "x" * 100_000,
    "a b " * 10_000,
    "[PAD] [MASK] [SEP]",
    "\n\t\r\v\f\u2028.",
]


@pytest.mark.parametrize("text", UNUSUAL, ids=lambda text: ascii(text)[:20])
def test_unusual_texts(encoder: Encoder, text: str) -> None:
    """Every text, however odd or long, is encoded as a vector of the fixed norm."""
    vectors = encode(encoder, [text])
    assert vectors.shape == (1, encoder.width)
    assert vectors.dtype == torch.float32
    assert vectors.norm(dim=1).item() == pytest.approx(VECTOR_NORM, rel=1e-4)


def test_batch_does_not_matter(encoder: Encoder) -> None:
    """A text has the same vector alone and in a batch with texts of any length."""
    texts = ["short", "a text of some more words than that", *UNUSUAL]
    together = encode(encoder, texts)
    alone = torch.cat([encode(encoder, [text]) for text in texts])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_truncation(encoder: Encoder) -> None:
    """Text after the last token that fits changes nothing; text before does."""
    beginning = "orbit " * 40
    texts = [beginning + "hockey", beginning + "cake " * 999, "hockey"]
    one, other, third = encode(encoder, texts)
    torch.testing.assert_close(one, other)
    assert (one - third).norm() > 1


def test_similar_texts(encoder: Encoder) -> None:
    """Texts on one subject have closer vectors than texts on two subjects."""
    texts = ["the team won the hockey match", "a late goal in the league", "a probe orbits mars"]
    hockey, goal, moon = encode(encoder, texts)
    assert (hockey - goal).norm() < (hockey - moon).norm()


def test_limit_of_the_model(tiny: Callable[[str], Path]) -> None:
    """A limit beyond the model's own is lowered to the model's own."""
    encoder = Encoder(str(tiny("bert")), 100_000, "cpu", "fp32")
    assert encoder.max_tokens == 512
    assert encoder.describe()["max_tokens"] == 512
    assert encode(encoder, ["word " * 2000]).isfinite().all()


def test_tokens(encoder: Encoder) -> None:
    """Every text has token numbers, two at least and as many as the limit at most."""
    tokens = encoder.tokenize(["", "!!!", "word " * 100])
    assert [len(row) for row in tokens] == [2, 5, 32]
    assert {row.dtype for row in tokens} == {torch.int32}


def test_top_layers(encoder: Encoder) -> None:
    """Layers are counted from the top; more layers than the encoder has are refused."""
    stack = list(encoder.transformer.encoder.layer)
    assert encoder.top(0) == []
    assert encoder.top(2) == stack[4:]
    assert encoder.top(6) == stack
    with pytest.raises(LayersError, match=r"6 layers, 7 can't be trained; set --layers"):
        encoder.top(7)


def test_copy(encoder: Encoder) -> None:
    """Changes of a copy do not change the encoder."""
    before = copy.deepcopy(encoder.state_dict())
    other = encoder.copy()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_prepared_texts(encoder: Encoder) -> None:
    """An encoder reads the text that its preparation returns."""
    loud = Encoder(DEFAULT_MODEL, 32, "cpu", "fp32", lambda text: text.partition("|")[0])
    (one,), (other,) = loud.tokenize(["orbit | and the rest"]), encoder.tokenize(["orbit "])
    assert torch.equal(one, other)


def test_bf16_is_close_to_fp32(encoder: Encoder) -> None:
    """Half precision changes only the last digits of a vector."""
    half = Encoder(DEFAULT_MODEL, max_tokens=32, device="cpu", precision="bf16")
    assert half.bf16
    assert not encoder.bf16
    texts = ["the team won the hockey match", "a probe orbits mars"]
    vectors = encode(half, texts)
    assert (torch.cosine_similarity(vectors, encode(encoder, texts)) > 0.99).all()
    assert vectors.dtype == torch.float32
