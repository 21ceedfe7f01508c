"""Compile frozen layers with OpenVINO, which is faster than torch on a CPU."""

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

Run = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

Runtime = Callable[[nn.Module], Run]

MAX_ERROR = 0.1
"""Largest error of a compiled module, relative to the norm; bf16 makes 0.01, int8 0.05."""

QUANTIZATION_GROUP = 128
"""Numbers of an input that share a scale; smaller groups are slower."""

LENGTH_STEP = 16
"""Texts are padded to multiples of so many tokens: each new length is compiled once."""

log = structlog.get_logger()


class RuntimeMissingError(UserError):
    """OpenVINO is not available, or can't run the encoder."""


def find_runtime(name: RuntimeName, encoder: Encoder) -> Runtime | None:
    """Return the compiler of frozen layers; None to run them in torch.

    Raises
    ------
    RuntimeMissingError
        OpenVINO is requested and not available.
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
    return compiler if name == "openvino" else partial(_compile_or_keep, compiler)


def _compile_or_keep(compiler: Runtime, module: nn.Module) -> Run:
    try:
        return compiler(module)
    except RuntimeMissingError as error:
        log.warning("frozen layers run in torch", because=str(error))
        run: Run = module
        return run


@cache
def _core() -> Any:
    """Return OpenVINO's core, made once for the process.

    A core gives signal handlers a stack and frees the stack when the core is freed. With two cores
    the next SIGTERM after the first is freed would crash the process.
    """
    import openvino  # noqa: PLC0415 - an optional part

    return openvino.Core()


class Compiler:
    """Compile a module that reads token numbers and a mask, both of shape (texts, tokens).

    Parameters
    ----------
    precision
        OpenVINO's name for the precision of matrix products: ``f32`` or ``bf16``.
    max_tokens
        Tokens that the module can read.
    int8
        Whether to quantize weights and activations to 8 bits where the outputs stay within
        `MAX_ERROR` (Dettmers et al. 2022, "LLM.int8()", without outliers).
    """

    def __init__(self, precision: str, max_tokens: int, *, int8: bool) -> None:
        self._precision = precision
        self._max_tokens = max_tokens
        self._int8 = int8

    def __call__(self, module: nn.Module) -> Run:
        """Return a function that computes what the module computes.

        Raises
        ------
        RuntimeMissingError
            The module can't be compiled, or the compiled module's outputs differ.
        """
        if self._int8:
            try:
                return self._compile(module, _quantized(module), QUANTIZATION_GROUP)
            except Exception as error:  # noqa: BLE001 - whatever OpenVINO raises
                log.info("frozen layers are not quantized to int8", because=_first_line(error))
        try:
            return self._compile(module, module, 0)
        except Exception as error:  # whatever OpenVINO raises of an unknown operation
            raise RuntimeMissingError(
                f"OpenVINO can't run this encoder ({_first_line(error)}); use --runtime torch"
            ) from error

    def _compile(self, module: nn.Module, variant: nn.Module, group: int) -> Run:
        """Compile a variant of the module, and compare the outputs of both."""
        ids = torch.ones(2, min(LENGTH_STEP, self._max_tokens), dtype=torch.long)
        mask = torch.ones_like(ids).tril(1)  # padding is masked: a full mask is optimized away
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tracing: the outputs are compared below
            converted = _convert(variant, (ids, mask))
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

        def run(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            missing = min(-ids.shape[1] % LENGTH_STEP, self._max_tokens - ids.shape[1])
            inputs = [nn.functional.pad(part, (0, missing)).numpy() for part in (ids, mask)]
            hidden, pooled = compiled(inputs).values()
            return torch.from_numpy(hidden), torch.from_numpy(pooled)

        self._compare(module, run)
        return run

    @torch.inference_mode()
    def _compare(self, module: nn.Module, run: Run) -> None:
        """Compare outputs with the module's, on other shapes than the traced ones.

        Raises
        ------
        ValueError
            The error exceeds `MAX_ERROR`.
        """
        ids = torch.arange(3 * min(LENGTH_STEP + 5, self._max_tokens)).reshape(3, -1) % 50 + 1
        mask = torch.ones_like(ids)
        mask[0, 2:] = 0
        for expected, output in zip(module(ids, mask), run(ids, mask), strict=True):
            unpadded = slice(0, expected.shape[1]) if expected.dim() > 2 else slice(None)  # noqa: PLR2004
            found = output[:, unpadded].float()[[1, 2]]
            error = float((found - expected[[1, 2]]).norm() / expected[[1, 2]].norm())
            if not error < MAX_ERROR:
                raise ValueError(f"its outputs are {error:.0%} off")


def _convert(module: nn.Module, example: tuple[Tensor, Tensor]) -> Any:
    """Trace a module and convert the trace to OpenVINO's model.

    The model computes the same bits as that of `openvino.convert_model`, which takes seconds
    longer: that function traces twice to compare the traces, and queues telemetry events.
    """
    from openvino._offline_transformations import (  # noqa: PLC0415 - an optional part
        apply_moc_transformations,
    )
    from openvino.frontend import FrontEndManager  # noqa: PLC0415
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415

    trace = TorchScriptPythonDecoder(
        module, example_input=example, trace_kwargs={"check_trace": False}
    )
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(trace))
    apply_moc_transformations(model, cf=False, smart_reshape=True)
    return model


class _Int8Linear(nn.Module):
    """Linear layer with int8 weights and a scale for each output."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        scale = layer.weight.detach().abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
        self.register_buffer("_scale", scale)
        self.register_buffer("_numbers", (layer.weight.detach() / scale).round().to(torch.int8))
        self._bias = layer.bias

    def forward(self, inputs: Tensor) -> Tensor:
        weights = self.get_buffer("_numbers").float() * self.get_buffer("_scale")
        return nn.functional.linear(inputs, weights, self._bias)


def _quantized(module: nn.Module) -> nn.Module:
    """Return a copy of a module with int8 linear layers; the other weights are shared."""
    quantized = copy.deepcopy(module, {id(weight): weight for weight in module.parameters()})
    for part in list(quantized.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Linear):
                setattr(part, name, _Int8Linear(child))
    return quantized


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
