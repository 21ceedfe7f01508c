"""A shift of the inputs is detected without labels."""

from collections.abc import Callable

import pytest
import torch

from consumer.drift.inputs import RECENT, REFERENCE, InputShift
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


def detections(shift: InputShift, documents: list[Features]) -> list[int]:
    """Return the numbers of the documents that revealed a shift."""
    return [
        number for number, features in enumerate(documents) if shift.update(features) is not None
    ]


@pytest.mark.parametrize("make", [pooled, ngrams, tokens])
def test_shift(make: Callable[..., Features]) -> None:
    """A shift is detected within one window, once: the new texts become the reference."""
    random = torch.Generator().manual_seed(0)
    usual = [make(random) for _ in range(REFERENCE + 2000)]
    other = [make(random, 1.0) for _ in range(REFERENCE + 1000)]
    (number,) = detections(InputShift(), usual + other)
    assert 0 <= number - len(usual) <= RECENT


@pytest.mark.parametrize("make", [pooled, ngrams, tokens])
def test_no_shift(make: Callable[..., Features]) -> None:
    """Texts of one distribution have a distance close to 1 and cause no detection."""
    random = torch.Generator().manual_seed(1)
    shift = InputShift()
    assert detections(shift, [make(random) for _ in range(4000)]) == []
    assert 0.3 < shift.distance < 2.0


@pytest.mark.parametrize("split", [10, REFERENCE - 1, REFERENCE, REFERENCE + 70, 1400])
def test_restored_state_gives_the_same_distances(split: int) -> None:
    """A restored detector computes the same distances as one without a restart."""
    random = torch.Generator().manual_seed(2)
    documents = [pooled(random, float(number > 1300)) for number in range(1600)]
    whole, first, second = InputShift(), InputShift(), InputShift()
    expected = detections(whole, documents)
    before = detections(first, documents[:split])
    second.load_state_dict(first.state_dict())
    after = [split + number for number in detections(second, documents[split:])]
    assert before + after == expected != []
    assert second.distance == whole.distance


def test_no_features() -> None:
    """Documents without features cause no detection."""
    assert detections(InputShift(), [{} for _ in range(REFERENCE + RECENT + 5)]) == []
