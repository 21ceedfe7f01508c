"""Choices of encoder, text and hardware. Imports nothing heavy: options are parsed with it."""

from dataclasses import dataclass
from typing import Literal

DEFAULT_MODEL = "all-MiniLM-L6-v2"
"""Encoder that comes inside a PyPI package, so that no model hub is needed."""

Precision = Literal["auto", "bf16", "fp32"]

RuntimeName = Literal["auto", "torch", "openvino"]

TextName = Literal["mail", "plain"]


@dataclass(frozen=True, slots=True)
class HardwareConfig:
    """Describe the hardware to compute on; it changes nothing but rounding errors.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``...
    precision
        Precision of matrix products: ``bf16``, ``fp32``, or ``auto`` for the one that is fast.
    runtime
        Library that runs frozen layers: ``torch``, ``openvino``, or ``auto`` for the faster one.
    """

    device: str
    precision: Precision
    runtime: RuntimeName
