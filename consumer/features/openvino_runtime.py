"""OpenVINO, a runtime that reads faster than torch on a CPU, for what is not trained."""

import copy
import importlib.util
import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import structlog
import torch
from torch import Tensor, nn

from consumer.features.config import RuntimeName
from consumer.features.encoder import Encoder
from newsreel.common.errors import UserError

Read = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

Runtime = Callable[[nn.Module], Read]

LARGEST_ERROR = 0.1
"""Share of the norm of what is read; bf16 makes about 0.01, int8 0.05."""

QUANTIZED_TOGETHER = 128
"""Numbers of an input that share a scale; fewer are slower."""

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
    compiler = Compiler(
        "bf16" if encoder.bf16 else "f32", encoder.max_tokens, int8=encoder.precision == "auto"
    )
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
    int8
        Whether to round weights, and inputs as they come, to 8 bits where what is read stays the
        same but for `LARGEST_ERROR` (Dettmers et al. 2022, "LLM.int8()", without outliers).
    """

    def __init__(self, precision: str, longest: int, *, int8: bool) -> None:
        self._precision = precision
        self._longest = longest
        self._int8 = int8

    def __call__(self, module: nn.Module) -> Read:
        """Return a function that does what the module does.

        Raises
        ------
        RuntimeMissingError
            The module can't be compiled, or computes something else when it is.
        """
        if self._int8:
            try:
                return self._compile(module, _in_int8(module), QUANTIZED_TOGETHER)
            except Exception as error:  # noqa: BLE001 - whatever OpenVINO raises
                log.info("frozen layers are not rounded to int8", because=_first_line(error))
        try:
            return self._compile(module, module, 0)
        except Exception as error:  # whatever OpenVINO raises of what it does not know
            raise RuntimeMissingError(
                f"OpenVINO can't run this encoder ({_first_line(error)}); use --runtime torch"
            ) from error

    def _compile(self, module: nn.Module, rounded: nn.Module, group: int) -> Read:
        ids = torch.ones(2, min(LENGTHS, self._longest), dtype=torch.long)
        mask = torch.ones_like(ids).tril(1)  # some padding: none would be optimized away
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing: what it warns of is checked below
            converted = _convert(rounded, (ids, mask))
        compiled = _core().compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": self._precision,
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
            },
        )

        def read(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            missing = min(-ids.shape[1] % LENGTHS, self._longest - ids.shape[1])
            rows = [nn.functional.pad(part, (0, missing)).numpy() for part in (ids, mask)]
            hidden, pooled = compiled(rows).values()
            return torch.from_numpy(hidden), torch.from_numpy(pooled)

        self._check(module, read)
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


def _convert(module: nn.Module, example: tuple[Tensor, Tensor]) -> Any:
    """Trace a module and convert it, equal to the bit to what `openvino.convert_model` returns.

    That function traces twice, which doubles the time to start, and sends usage data to its maker.
    """
    from openvino._offline_transformations import (  # noqa: PLC0415 - an optional part
        apply_moc_transformations,
    )
    from openvino.frontend import FrontEndManager  # noqa: PLC0415
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415

    traced = TorchScriptPythonDecoder(
        module, example_input=example, trace_kwargs={"check_trace": False}
    )
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(traced))
    apply_moc_transformations(model, cf=False, smart_reshape=True)
    return model


class _Int8Linear(nn.Module):
    """A linear layer whose weights are whole numbers, with a scale for each output."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        scale = layer.weight.detach().abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
        self.register_buffer("_scale", scale)
        self.register_buffer("_numbers", (layer.weight.detach() / scale).round().to(torch.int8))
        self._bias = layer.bias

    def forward(self, inputs: Tensor) -> Tensor:
        weights = self.get_buffer("_numbers").float() * self.get_buffer("_scale")
        return nn.functional.linear(inputs, weights, self._bias)


def _in_int8(module: nn.Module) -> nn.Module:
    """View a module with its linear layers in int8; what else it has are the same weights."""
    rounded = copy.deepcopy(module, {id(weight): weight for weight in module.parameters()})
    for part in list(rounded.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Linear):
                setattr(part, name, _Int8Linear(child))
    return rounded


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
