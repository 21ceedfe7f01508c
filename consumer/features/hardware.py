"""What the machine has: devices, and the precision they are fast in."""

import os
import platform
import sys

import threadpoolctl
import torch

from consumer.features.config import Precision
from newsreel.common.errors import UserError


class DeviceError(UserError):
    """The wanted device or precision is not to be had."""


def use_cores(count: int) -> None:
    """Compute on so many cores at most; to be called before anything is computed."""
    torch.set_num_threads(count)
    threadpoolctl.threadpool_limits(count)  # of linear algebra
    os.environ["RAYON_NUM_THREADS"] = str(count)  # of the tokenizer


def take_leftovers() -> None:
    """Have this thread, and those that it starts, compute only when nobody else wants to.

    A low priority would not do: a learner's threads wait for each other, and to interrupt one of
    them for some milliseconds is to stop all.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


def find_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` prefers a GPU.

    Raises
    ------
    DeviceError
        It is not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.partition(":")[0] not in {"cpu", "cuda"}:
        raise DeviceError(f"device {name!r} is none; use --device cpu, cuda, cuda:N or auto")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DeviceError(f"device {name!r} is not here; use --device cpu or auto") from error
    return device


def uses_bf16(device: torch.device, precision: Precision) -> bool:
    """Return whether matrix products are to be in bf16."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported()
    else:
        native = bool(torch.backends.mkldnn.is_available()) and _cpu_has_bf16()
    return native if precision == "auto" else precision == "bf16"


def autocast(device: torch.device, *, bf16: bool) -> torch.autocast:
    """Return the context of matrix products in bf16, or as they are."""
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16)


def _cpu_has_bf16() -> bool:
    """Whether bf16 is native: oneDNN alone would say yes to emulating it, which is slow."""
    if platform.machine().lower() in {"x86_64", "amd64"}:
        return torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - the only way to ask
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - the only way to ask
