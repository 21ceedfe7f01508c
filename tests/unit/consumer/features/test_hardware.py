"""Choose devices and precisions."""

import pytest
import torch

from consumer.features.hardware import DeviceError, find_device, uses_bf16


@pytest.mark.parametrize("name", ["cuda:99", "nonsense", "", "cpu:x"])
def test_unknown_device(name: str) -> None:
    """A device that does not exist is refused; the message names devices that do."""
    with pytest.raises(DeviceError) as refused:
        find_device(name)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert repr(name) in message
    assert "--device cpu" in message


def test_known_device() -> None:
    """The CPU always exists; `auto` prefers a GPU."""
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_precision() -> None:
    """A requested precision is used, native or not."""
    device = torch.device("cpu")
    assert uses_bf16(device, "bf16")
    assert not uses_bf16(device, "fp32")
    assert uses_bf16(device, "auto") in {True, False}
