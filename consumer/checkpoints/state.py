"""Trees of tensors and primitives, taken apart for files that hold one kind each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

TENSOR_MARK = "__tensor__"


def pack_state(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Move copies of tensors out of a tree of primitives, leaving their names."""
    match value:
        case torch.Tensor():
            tensors[name] = value.detach().to("cpu", copy=True).contiguous()
            return {TENSOR_MARK: name}
        case dict():
            return {
                _key(key): pack_state(item, f"{name}/{_escape(key)}", tensors)
                for key, item in value.items()
            }
        case list() | tuple():
            return [
                pack_state(item, f"{name}/{index}", tensors) for index, item in enumerate(value)
            ]
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


def unpack_state(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Put tensors back into a tree that `pack_state` took them out of."""
    match value:
        case {"__tensor__": str(name)}:
            return tensors[name]
        case dict():
            return {key: unpack_state(item, tensors) for key, item in value.items()}
        case list():
            return [unpack_state(item, tensors) for item in value]
    return value


class Stateful(Protocol):
    """A part that a checkpoint keeps. State holds tensors and primitives only."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that its future depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


@dataclass(frozen=True, slots=True)
class CheckpointContents:
    """What every checkpoint of a run holds, beside its positions and its number of documents."""

    parts: Mapping[str, Stateful]
    """Parts whose state is kept, by name."""

    topic: str
    """Topic of the documents."""

    group: str
    """Consumer group that reads the topic."""

    describes: Mapping[str, Any]
    """Model and options that a consumer must share to restore the checkpoint."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of all parts at one moment, apart from them: they may go on."""

    state: dict[str, Any]
    tensors: dict[str, torch.Tensor]


def take_snapshot(parts: Mapping[str, Stateful]) -> Snapshot:
    """Copy the state of parts, by name."""
    tensors: dict[str, torch.Tensor] = {}
    state = {name: pack_state(part.state_dict(), name, tensors) for name, part in parts.items()}
    return Snapshot(state, tensors)
