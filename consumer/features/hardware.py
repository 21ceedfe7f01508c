"""Choose devices, cores and the precision in which a device is fast."""

import os
import platform
import sys

import threadpoolctl
import torch

from consumer.features.config import Precision
from newsreel.common.errors import UserError


class DeviceError(UserError):
    """The requested device does not exist."""


def use_cores(count: int) -> None:
    """Limit computation to a number of cores; call this function before anything is computed."""
    torch.set_num_threads(count)
    threadpoolctl.threadpool_limits(count)  # of linear algebra
    os.environ["RAYON_NUM_THREADS"] = str(count)  # of the tokenizer


def run_when_idle() -> None:
    """Give this thread, and the threads that it starts, only processor time that nobody else needs.

    A low priority would not suffice: a learner's threads wait for each other, so interrupting one
    of them for some milliseconds stops all.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


def find_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` prefers a GPU.

    Raises
    ------
    DeviceError
        The machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.partition(":")[0] not in {"cpu", "cuda"}:
        raise DeviceError(f"unknown device {name!r}; use --device cpu, cuda, cuda:N or auto")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DeviceError(
            f"no device {name!r} on this machine; use --device cpu or auto"
        ) from error
    return device


def uses_bf16(device: torch.device, precision: Precision) -> bool:
    """Return whether to compute matrix products in bf16."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported()
    else:
        native = bool(torch.backends.mkldnn.is_available()) and _cpu_has_bf16()
    return native if precision == "auto" else precision == "bf16"


def autocast(device: torch.device, *, bf16: bool) -> torch.autocast:
    """Return the context in which matrix products are in bf16, or in the tensors' own precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16)


def _cpu_has_bf16() -> bool:
    """Return whether the processor has bf16; oneDNN alone also reports its slow emulation."""
    if platform.machine().lower() in {"x86_64", "amd64"}:
        return torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - there is no public function
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - nor here
