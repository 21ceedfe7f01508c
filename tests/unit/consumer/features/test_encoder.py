"""The encoder: texts of every kind become vectors."""

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
    """Every text, however odd or long, becomes a vector of the one length that vectors have."""
    vectors = encode(encoder, [text])
    assert vectors.shape == (1, encoder.width)
    assert vectors.dtype == torch.float32
    assert vectors.norm(dim=1).item() == pytest.approx(VECTOR_NORM, rel=1e-4)


def test_company_does_not_matter(encoder: Encoder) -> None:
    """A text has the same vector alone and in a batch of texts of any length."""
    texts = ["short", "a text of some more words than that", *UNUSUAL]
    together = encode(encoder, texts)
    alone = torch.cat([encode(encoder, [text]) for text in texts])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_the_rest_is_cut_off(encoder: Encoder) -> None:
    """What lies behind the last token that is read makes no difference; what lies before does."""
    beginning = "orbit " * 40
    texts = [beginning + "hockey", beginning + "cake " * 999, "hockey"]
    one, other, third = encode(encoder, texts)
    torch.testing.assert_close(one, other)
    assert (one - third).norm() > 1


def test_vectors_mean_something(encoder: Encoder) -> None:
    """Texts on one subject lie closer together than texts on two."""
    texts = ["the team won the hockey match", "a late goal in the league", "a probe orbits mars"]
    hockey, goal, moon = encode(encoder, texts)
    assert (hockey - goal).norm() < (hockey - moon).norm()


def test_no_more_tokens_than_the_model_takes(tiny: Callable[[str], Path]) -> None:
    """A limit beyond the model's own is the model's own."""
    encoder = Encoder(str(tiny("bert")), 100_000, "cpu", "fp32")
    assert encoder.max_tokens == 512
    assert encoder.describe()["max_tokens"] == 512
    assert encode(encoder, ["word " * 2000]).isfinite().all()


def test_tokens(encoder: Encoder) -> None:
    """Every text has its token numbers, as many as are read of it, and two at the least."""
    tokens = encoder.tokenize(["", "!!!", "word " * 100])
    assert [len(row) for row in tokens] == [2, 5, 32]
    assert {row.dtype for row in tokens} == {torch.int32}


def test_top_layers(encoder: Encoder) -> None:
    """Layers are counted from the top, and there are no more of them than there are."""
    stack = list(encoder.transformer.encoder.layer)
    assert encoder.top(0) == []
    assert encoder.top(2) == stack[4:]
    assert encoder.top(6) == stack
    with pytest.raises(LayersError, match=r"6 layers, 7 can't be trained; set --layers"):
        encoder.top(7)


def test_a_copy_has_its_own_weights(encoder: Encoder) -> None:
    """What happens to a copy does not happen to the encoder."""
    before = copy.deepcopy(encoder.state_dict())
    other = encoder.copy()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_texts_are_edited_before_they_are_read(encoder: Encoder) -> None:
    """An encoder reads what its editor leaves of a text."""
    loud = Encoder(DEFAULT_MODEL, 32, "cpu", "fp32", lambda text: text.partition("|")[0])
    (one,), (other,) = loud.tokenize(["orbit | and the rest"]), encoder.tokenize(["orbit "])
    assert torch.equal(one, other)


def test_bf16_is_close_to_fp32(encoder: Encoder) -> None:
    """Half precision changes the last digits of a vector, and not its meaning."""
    half = Encoder(DEFAULT_MODEL, max_tokens=32, device="cpu", precision="bf16")
    assert half.bf16
    assert not encoder.bf16
    texts = ["the team won the hockey match", "a probe orbits mars"]
    vectors = encode(half, texts)
    assert (torch.cosine_similarity(vectors, encode(encoder, texts)) > 0.99).all()
    assert vectors.dtype == torch.float32
