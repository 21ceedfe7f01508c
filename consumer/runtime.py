"""OpenVINO, a runtime that reads faster than torch on a CPU, for what is not trained."""

import importlib.util
import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal

import structlog
import torch
from torch import Tensor, nn

from consumer.encoder import Encoder
from service.errors import UserError

RuntimeName = Literal["auto", "torch", "openvino"]
Read = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Runtime = Callable[[nn.Module], Read]

LARGEST_ERROR = 0.05
"""Share of the norm of what is read; bf16 alone makes about 0.01."""
LENGTHS = 16
"""Texts are padded to multiples of so many tokens: each new length is compiled once."""


log = structlog.get_logger()


class RuntimeMissingError(UserError):
    """OpenVINO is not to be had."""


def find_runtime(name: RuntimeName, encoder: Encoder) -> Runtime | None:
    """Return what compiles the frozen layers, None for torch itself.

    Raises
    ------
    RuntimeMissingError
        It is asked for and can't be had.
    """
    usable = encoder.device.type == "cpu" and importlib.util.find_spec("openvino") is not None
    if name == "openvino" and not usable:
        raise RuntimeMissingError(
            "OpenVINO runs on the CPU and where it is installed: use --runtime torch or --device"
            " cpu, or install it with: pip install openvino"
        )
    if name == "torch" or not usable:
        return None
    compiler = Compiler("bf16" if encoder.bf16 else "f32", encoder.max_tokens)
    return compiler if name == "openvino" else partial(_or_as_it_is, compiler)


@cache
def _core() -> Any:
    """Return OpenVINO, set up once.

    It gives signal handlers a stack, and takes it away when it goes: of two, the first to go
    would leave the other's pointing to nothing, and the next SIGTERM would end in a crash.
    """
    import openvino  # noqa: PLC0415 - an optional part

    return openvino.Core()


def _or_as_it_is(compiler: Runtime, module: nn.Module) -> Read:
    try:
        return compiler(module)
    except RuntimeMissingError as error:
        log.warning("frozen layers run in torch", because=str(error))
        read: Read = module
        return read


class Compiler:
    """Compiles a module that reads token numbers and a mask, both of shape (texts, tokens).

    Parameters
    ----------
    precision
        Of matrix products, as OpenVINO names it: ``f32`` or ``bf16``.
    longest
        Tokens that the module can read.
    """

    def __init__(self, precision: str, longest: int) -> None:
        self._precision = precision
        self._longest = longest

    def __call__(self, module: nn.Module) -> Read:
        """Return a function that does what the module does.

        Raises
        ------
        RuntimeMissingError
            The module can't be compiled, or computes something else when it is.
        """
        try:
            read = self._compile(module)
            self._check(module, read)
        except Exception as error:  # whatever OpenVINO raises of what it does not know
            raise RuntimeMissingError(
                f"OpenVINO can't run this encoder ({str(error).strip().partition(chr(10))[0]}); use"
                " --runtime torch"
            ) from error
        return read

    def _compile(self, module: nn.Module) -> Read:
        import openvino  # noqa: PLC0415 - an optional part

        ids = torch.ones(2, min(LENGTHS, self._longest), dtype=torch.long)
        mask = torch.ones_like(ids).tril(1)  # some padding: none would be optimized away
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing: what it warns of is checked below
            converted = openvino.convert_model(module, example_input=(ids, mask))
        compiled = _core().compile_model(
            converted,
            "CPU",
            {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": "LATENCY"},
        )

        def read(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            missing = min(-ids.shape[1] % LENGTHS, self._longest - ids.shape[1])
            rows = [nn.functional.pad(part, (0, missing)).numpy() for part in (ids, mask)]
            hidden, pooled = compiled(rows).values()
            return torch.from_numpy(hidden), torch.from_numpy(pooled)

        return read

    @torch.inference_mode()
    def _check(self, module: nn.Module, read: Read) -> None:
        """Compare with the module itself, on other shapes than it was traced with."""
        ids = torch.arange(3 * min(LENGTHS + 5, self._longest)).reshape(3, -1) % 50 + 1
        mask = torch.ones_like(ids)
        mask[0, 2:] = 0
        for expected, found in zip(module(ids, mask), read(ids, mask), strict=True):
            there = slice(0, expected.shape[1]) if expected.dim() > 2 else slice(None)  # noqa: PLR2004
            ours = found[:, there].float()[[1, 2]]
            error = float((ours - expected[[1, 2]]).norm() / expected[[1, 2]].norm())
            if not error < LARGEST_ERROR:
                raise ValueError(f"it is {error:.0%} off")
