"""Pack documents and examples for checkpoints, and unpack them."""

from datetime import UTC, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import torch
from helpers import Restore
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.features import serialization
from consumer.features.extractor import Example
from newsreel.events.document import Document

texts = st.text(max_size=20)

zones = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))) | st.just(UTC)

documents = st.builds(
    Document, texts, texts, st.none() | texts, st.none() | st.datetimes(timezones=zones)
)

dtypes = {"hidden": torch.float16, "pooled": torch.float32, "tokens": torch.int32}


def features(lengths: dict[str, int]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths.values()))
    wide = {"hidden": (5,), "pooled": (2, 3), "tokens": ()}
    return {
        name: torch.randn(length, *wide[name], generator=generator).mul(9).to(dtypes[name])
        for name, length in lengths.items()
    }


@st.composite
def examples(draw: Any) -> list[Example]:
    """Make examples with the same features, of different lengths, some of them 0."""
    names = draw(st.sets(st.sampled_from(sorted(dtypes))))
    lengths = st.fixed_dictionaries(dict.fromkeys(sorted(names), st.integers(0, 4)))
    return draw(st.lists(st.builds(Example, documents, lengths.map(features)), max_size=6))


@settings(deadline=None)
@given(st.lists(documents, max_size=6))
def test_documents(restore: Restore, documents: list[Document]) -> None:
    """Every document is restored with all fields, the offset of its time zone included."""
    restored = holder()
    restore(SimpleNamespace(state_dict=lambda: {"packed": serialization.pack(documents)}), restored)
    back = serialization.unpack(restored.state["packed"])
    assert back == documents
    offsets = [document.time and document.time.utcoffset() for document in documents]
    assert [document.time and document.time.utcoffset() for document in back] == offsets


@settings(deadline=None)
@given(examples())
def test_examples(restore: Restore, examples: list[Example]) -> None:
    """Every example is restored with its own features, of the same type, shape and values."""
    restored = holder()
    restore(SimpleNamespace(state_dict=lambda: serialization.pack_examples(examples)), restored)
    back = serialization.unpack_examples(restored.state)
    assert [one.document for one in back] == [one.document for one in examples]
    for one, was in zip(back, examples, strict=True):
        assert set(one.features) == set(was.features)
        for name, tensor in was.features.items():
            assert one.features[name].dtype == tensor.dtype
            assert torch.equal(one.features[name], tensor)


def test_features_own_their_memory() -> None:
    """Restored features own their memory: dropping an example frees it."""
    packed = [Example(Document(str(n), ""), {"hidden": torch.ones(n, 2)}) for n in range(1, 4)]
    for example in serialization.unpack_examples(serialization.pack_examples(packed)):
        tensor = example.features["hidden"]
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def holder() -> Any:
    """Return a part that stores its state unchanged."""
    part = SimpleNamespace(state={})
    part.load_state_dict = part.state.update
    return part
