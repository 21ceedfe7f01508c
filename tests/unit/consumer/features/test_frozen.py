"""Split encoders of any architecture at any layer, and run the frozen part in any runtime."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from consumer.features import openvino_runtime
from consumer.features.config import DEFAULT_MODEL, RuntimeName
from consumer.features.encoder import Encoder, average_neighbours
from consumer.features.extractor import extract
from consumer.features.frozen import MAX_LENGTH_RATIO, MIN_BUCKET, FrozenLayers, buckets
from consumer.features.openvino_runtime import (
    RuntimeMissingError,
    find_runtime,
)
from consumer.features.transformer import (
    UnknownModelError,
)
from consumer.learners.latent import TopLayers
from newsreel.events.document import Document

Tiny = Callable[[str], Path]

CUTTABLE = ["bert", "roberta", "distilbert", "mpnet", "modernbert"]

TEXTS = [
    "a probe orbits mars",
    "moon",
    "!!!",
    "",
    "the team won the hockey match with a late goal in the last season of the league",
    "a text of some more words than that",
]

DOCUMENTS = [Document(str(number), text) for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return Encoder(DEFAULT_MODEL, max_tokens=16, device="cpu", precision="fp32")


def load(folder: Path, max_tokens: int = 16) -> Encoder:
    return Encoder(str(folder), max_tokens, "cpu", "fp32")


def check_split(encoder: Encoder, layers: int) -> None:
    """Check that frozen and trained layers in turn equal the whole encoder."""
    top = TopLayers(encoder, layers)
    with torch.no_grad():
        whole = encoder(encoder.tokenize(TEXTS))
        for pooled in (True, False):
            features = extract(FrozenLayers(encoder, layers, pooled=pooled), DOCUMENTS)
            split = top([row["hidden"] for row in features])
            torch.testing.assert_close(split, whole, rtol=0, atol=1e-2)


# --- the cut ------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", range(4))
@pytest.mark.parametrize("name", CUTTABLE)
def test_split(tiny: Tiny, name: str, layers: int) -> None:
    """An encoder can be split below any number of layers, none and all included."""
    check_split(load(tiny(name)), layers)


@pytest.mark.parametrize("layers", [0, 2, 6])
def test_split_of_the_default_model(minilm: Encoder, layers: int) -> None:
    """The default model can be split."""
    check_split(minilm, layers)


@pytest.mark.parametrize(
    ("name", "layers"), [("gpt2", 1), ("electra", 1), ("electra", 0), ("albert", 1)]
)
def test_architecture_that_cannot_be_split(tiny: Tiny, name: str, layers: int) -> None:
    """An architecture that can't be split is refused in one line that names an alternative."""
    encoder = load(tiny(name))
    with pytest.raises(UnknownModelError) as refused:
        TopLayers(encoder, layers)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert type(encoder.transformer).__name__ in message
    assert "--l" in message  # --learner, --layers


@pytest.mark.parametrize("name", CUTTABLE)
def test_trained_layers_are_copies(tiny: Tiny, name: str) -> None:
    """The top layers are trained, and share no weights with the encoder."""
    encoder = load(tiny(name))
    top = TopLayers(encoder, 2)
    trained = [parameter for parameter in top.parameters() if parameter.requires_grad]
    own = sum(p.numel() for layer in encoder.top(2) for p in layer.parameters())
    assert own <= sum(p.numel() for p in trained) < 1.05 * own  # with what comes behind them
    assert not {p.data_ptr() for p in trained} & {p.data_ptr() for p in encoder.parameters()}
    top([torch.randn(5, encoder.width)]).sum().backward()
    weights = {id(p) for layer in encoder.top(2) for p in layer.parameters()}
    assert all(p.grad is None for p in encoder.parameters() if id(p) in weights)


# --- features -----------------------------------------------------------------------------------


def test_features(tiny: Tiny) -> None:
    """Activations have a row for each token, in half precision; pooled features have one row."""
    encoder = load(tiny("bert"))
    frozen = FrozenLayers(encoder, 1, pooled=True)
    features = extract(frozen, DOCUMENTS)
    lengths = [len(row) for row in encoder.tokenize(TEXTS)]
    assert [row["hidden"].shape for row in features] == [(length, 32) for length in lengths]
    assert {row["hidden"].dtype for row in features} == {torch.float16}
    assert {row["pooled"].shape for row in features} == {(1, frozen.pooled_width)}
    assert frozen.pooled_width == 6 * 32
    assert {row["pooled"].dtype for row in features} == {torch.float32}
    for row in features:  # each of six parts is scaled to norm sqrt(width)
        norms = row["pooled"].reshape(6, 32).norm(dim=1)
        torch.testing.assert_close(norms, torch.full((6,), 32**0.5), rtol=1e-4, atol=1e-3)
    plain = extract(FrozenLayers(encoder, 1, pooled=False), DOCUMENTS)
    assert all(list(row) == ["hidden"] for row in plain)


def test_long_texts_are_shortened(tiny: Tiny) -> None:
    """Neighbouring activations of a long text are averaged; pooled features stay the same."""
    encoder = load(tiny("bert"))
    whole = extract(FrozenLayers(encoder, 1, pooled=True), DOCUMENTS)
    few = extract(FrozenLayers(encoder, 1, pooled=True, latent_tokens=5), DOCUMENTS)
    for row, reference in zip(few, whole, strict=True):
        torch.testing.assert_close(row["pooled"], reference["pooled"])
        assert torch.equal(row["hidden"], average_neighbours(reference["hidden"], 5))
        assert row["hidden"].untyped_storage().nbytes() == 2 * row["hidden"].numel()
    assert max(len(row["hidden"]) for row in whole) > 5


@given(st.integers(1, 200), st.integers(2, 64))
def test_average_neighbours(tokens: int, rows: int) -> None:
    """The first row stays; the others average groups of neighbours whose sizes differ by one."""
    hidden = torch.arange(float(tokens)).unsqueeze(1)
    few = average_neighbours(hidden, rows).squeeze(1)
    assert len(few) == min(tokens, rows)
    assert few[0] == 0
    assert (few.diff() > 0).all()
    ends = [0.0]
    for mean in few[1:].tolist():  # of neighbours from one after the last end: m = (from + to) / 2
        ends.append(round(2 * mean - ends[-1] - 1, 3))
    assert ends[-1] == tokens - 1
    sizes = [end - start for start, end in itertools.pairwise(ends)]
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_pooled_features(minilm: Encoder) -> None:
    """Pooled features are means of four hidden states, the first token and the maximum."""
    (row,) = extract(FrozenLayers(minilm, 2, pooled=True), DOCUMENTS[:1])
    (tokens,) = minilm.tokenize(TEXTS[:1])
    with torch.no_grad():
        states = minilm.transformer(
            input_ids=tokens.long().unsqueeze(0), output_hidden_states=True
        ).hidden_states
    parts = [states[layer][0].mean(0) for layer in (0, 2, 4, 6)]
    parts += [states[-1][0, 0], states[-1][0].amax(0)]
    expected = torch.cat([minilm.width**0.5 * part / part.norm() for part in parts])
    torch.testing.assert_close(row["pooled"][0], expected, rtol=1e-3, atol=1e-3)


def test_batch_does_not_matter(minilm: Encoder) -> None:
    """A text has the same features alone and padded to the length of others."""
    frozen = FrozenLayers(minilm, 2, pooled=True)
    together = extract(frozen, DOCUMENTS * 2)
    for row, document in zip(together, DOCUMENTS * 2, strict=True):
        (alone,) = extract(frozen, [document])
        for name, tensor in alone.items():
            torch.testing.assert_close(row[name], tensor, rtol=1e-2, atol=1e-2)


def test_features_allow_gradients(tiny: Tiny) -> None:
    """Activations can be the input of layers that need gradients."""
    encoder = load(tiny("bert"))
    features = extract(FrozenLayers(encoder, 1, pooled=True), DOCUMENTS)
    top = TopLayers(encoder, 1)
    top([row["hidden"] for row in features]).sum().backward()
    assert not any(row["pooled"].requires_grad for row in features)


@given(st.lists(st.integers(1, 512), max_size=60))
def test_buckets(lengths: list[int]) -> None:
    """Every text is in one bucket; a bucket holds texts of similar length."""
    groups = list(buckets(lengths))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        inside = [lengths[index] for index in group]
        assert inside == sorted(inside)
        assert all(length <= MAX_LENGTH_RATIO * inside[0] for length in inside[MIN_BUCKET:])
    assert all(len(group) >= MIN_BUCKET for group in groups[:-1])


# --- runtimes -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pooled"), [("bert", True), ("distilbert", False)])
def test_openvino_equals_torch(tiny: Tiny, name: str, *, pooled: bool) -> None:
    """OpenVINO computes the features that torch computes, up to rounding."""
    pytest.importorskip("openvino")
    encoder = load(tiny(name), max_tokens=40)
    reader = find_runtime("openvino", encoder)
    texts = [*DOCUMENTS, Document("long", "some words more " * 30)]
    expected = extract(FrozenLayers(encoder, 1, pooled=pooled), texts)
    found = extract(FrozenLayers(encoder, 1, pooled=pooled, runtime=reader), texts)
    for row, reference in zip(found, expected, strict=True):
        assert list(row) == list(reference)
        for feature, tensor in reference.items():
            assert row[feature].dtype == tensor.dtype
            torch.testing.assert_close(row[feature], tensor, rtol=1e-2, atol=1e-2)


@pytest.mark.slow
def test_openvino_in_half_precision(minilm: Encoder) -> None:
    """In bf16 the default model's features are close to those of torch in fp32."""
    pytest.importorskip("openvino")
    encoder = Encoder(DEFAULT_MODEL, 16, "cpu", "bf16")
    reader = find_runtime("openvino", encoder)
    found = extract(FrozenLayers(encoder, 2, pooled=True, runtime=reader), DOCUMENTS)
    expected = extract(FrozenLayers(minilm, 2, pooled=True), DOCUMENTS)
    for row, reference in zip(found, expected, strict=True):
        for feature, tensor in reference.items():
            pairs = (row[feature].float(), tensor.float())
            assert (torch.cosine_similarity(*pairs, dim=1) > 0.99).all()


@pytest.mark.slow
def test_openvino_in_int8(minilm: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """In int8 features are close to the exact ones; an encoder with larger errors stays in bf16."""
    pytest.importorskip("openvino")
    encoder = Encoder(DEFAULT_MODEL, 16, "cpu", "auto")

    def similarity() -> float:
        found = FrozenLayers(encoder, 2, pooled=True, runtime=find_runtime("openvino", encoder))
        reference = extract(FrozenLayers(minilm, 2, pooled=True), DOCUMENTS)
        return min(
            float(torch.cosine_similarity(row["pooled"], expected["pooled"]))
            for row, expected in zip(extract(found, DOCUMENTS), reference, strict=True)
        )

    rounded = similarity()
    monkeypatch.setattr(openvino_runtime, "MAX_ERROR", 0.02)
    assert 0.99 < rounded < similarity()


def test_torch_runtime(tiny: Tiny) -> None:
    """Torch needs no compiler."""
    assert find_runtime("torch", load(tiny("bert"))) is None


def test_openvino_is_missing(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenVINO torch runs the layers; a request for OpenVINO is refused with advice."""
    encoder = load(tiny("bert"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    names: list[RuntimeName] = ["auto", "torch"]
    assert [find_runtime(name, encoder) for name in names] == [None, None]
    with pytest.raises(RuntimeMissingError, match=r"^[^\n]*pip install openvino$"):
        find_runtime("openvino", encoder)


SIGNAL_AFTER_TWO = """
import signal
from torch import nn
from consumer.features.openvino_runtime import Compiler

class Model(nn.Module):
    def forward(self, ids, mask):
        return ids[..., None].float(), mask.float()

first, second = [Compiler("f32", 16, int8=False)(Model()) for _ in range(2)]
del first
del second
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.slow
def test_signals_after_openvino() -> None:
    """SIGTERM calls its handler after compiled modules are freed: the process does not crash."""
    pytest.importorskip("openvino")
    ran = subprocess.run(
        [sys.executable, "-c", SIGNAL_AFTER_TWO],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "heard\n"), ran.stderr
