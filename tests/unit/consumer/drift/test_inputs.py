"""Other texts are noticed without any labels."""

from collections.abc import Callable

import pytest
import torch

from consumer.drift.inputs import REFERENCE, WINDOW, InputShift
from consumer.features.extractor import Features


def pooled(random: torch.Generator, shift: float = 0.0) -> Features:
    vector = torch.randn(1, 300, generator=random)
    vector[:, :30] += shift
    return {"pooled": vector, "hidden": torch.zeros(3, 5).half()}


def ngrams(random: torch.Generator, shift: float = 0.0) -> Features:
    first = int(shift * 500)
    numbers = torch.randint(first, first + 1000, (40,), generator=random, dtype=torch.int32)
    return {"ngrams": numbers.unique(), "frequencies": torch.ones(40)}


def tokens(random: torch.Generator, shift: float = 0.0) -> Features:
    return {"tokens": ngrams(random, shift)["ngrams"]}


def noticed(shift: InputShift, documents: list[Features]) -> list[int]:
    return [number for number, one in enumerate(documents) if shift.update(one) is not None]


@pytest.mark.parametrize("make", [pooled, ngrams, tokens])
def test_shift(make: Callable[..., Features]) -> None:
    """Texts of another kind are noticed within a window, and then are what is usual."""
    random = torch.Generator().manual_seed(0)
    usual = [make(random) for _ in range(REFERENCE + 2000)]
    other = [make(random, 1.0) for _ in range(REFERENCE + 1000)]
    (number,) = noticed(InputShift(), usual + other)
    assert 0 <= number - len(usual) <= WINDOW


@pytest.mark.parametrize("make", [pooled, ngrams, tokens])
def test_quiet(make: Callable[..., Features]) -> None:
    """Texts of one kind are as far apart as chance makes them."""
    random = torch.Generator().manual_seed(1)
    shift = InputShift()
    assert noticed(shift, [make(random) for _ in range(4000)]) == []
    assert 0.3 < shift.distance < 2.0


@pytest.mark.parametrize("split", [10, REFERENCE - 1, REFERENCE, REFERENCE + 70, 1400])
def test_goes_on_as_if_never_saved(split: int) -> None:
    """One that was saved and restored finds the same distances."""
    random = torch.Generator().manual_seed(2)
    documents = [pooled(random, float(number > 1300)) for number in range(1600)]
    whole, first, second = InputShift(), InputShift(), InputShift()
    expected = noticed(whole, documents)
    before = noticed(first, documents[:split])
    second.load_state_dict(first.state_dict())
    after = [split + number for number in noticed(second, documents[split:])]
    assert before + after == expected != []
    assert second.distance == whole.distance


def test_no_features() -> None:
    """Documents of which nothing is known are never strange."""
    assert noticed(InputShift(), [{} for _ in range(REFERENCE + WINDOW + 5)]) == []
