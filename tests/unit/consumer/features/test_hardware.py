"""Devices and precisions: what is here is used, and what is not is said."""

import pytest
import torch

from consumer.features.hardware import DeviceError, find_device, uses_bf16


@pytest.mark.parametrize("name", ["cuda:99", "nonsense", "", "cpu:x"])
def test_unknown_device(name: str) -> None:
    """A device that is not here is named, with the ones that always are."""
    with pytest.raises(DeviceError) as refused:
        find_device(name)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert repr(name) in message
    assert "--device cpu" in message


def test_known_device() -> None:
    """A CPU is always here; a GPU is preferred where there is one."""
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_precision() -> None:
    """A precision that is asked for is used, native or not."""
    device = torch.device("cpu")
    assert uses_bf16(device, "bf16")
    assert not uses_bf16(device, "fp32")
    assert uses_bf16(device, "auto") in {True, False}
