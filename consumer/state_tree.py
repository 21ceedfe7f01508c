"""Trees of tensors and primitives, taken apart for files that hold one kind each."""

from collections.abc import Mapping
from typing import Any

import torch

TENSOR_MARK = "__tensor__"


def pack(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Move copies of tensors out of a tree of primitives, leaving their names."""
    match value:
        case torch.Tensor():
            tensors[name] = value.detach().to("cpu", copy=True).contiguous()
            return {TENSOR_MARK: name}
        case dict():
            return {
                _key(key): pack(item, f"{name}/{_escape(key)}", tensors)
                for key, item in value.items()
            }
        case list() | tuple():
            return [pack(item, f"{name}/{index}", tensors) for index, item in enumerate(value)]
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(f"{name}: {type(value).__name__} is neither a tensor nor a primitive")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"key {key!r} is no string: JSON would make it one, and not say so")
    return key


def _escape(key: str) -> str:
    """Keep keys with slashes apart, as in RFC 6901."""
    return key.replace("~", "~0").replace("/", "~1")


def unpack(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Put tensors back into a tree that `pack` took them out of."""
    match value:
        case {"__tensor__": str(name)}:
            return tensors[name]
        case dict():
            return {key: unpack(item, tensors) for key, item in value.items()}
        case list():
            return [unpack(item, tensors) for item in value]
    return value
