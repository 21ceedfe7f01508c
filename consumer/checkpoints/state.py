"""Copy the state of parts, and split each state into tensors and JSON, stored in two files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

TENSOR_MARK = "__tensor__"


def pack_state(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Move copies of the tensors out of a tree of primitives, leaving their names.

    Parameters
    ----------
    value
        Tree of dicts with string keys, lists, tensors and primitives.
    name
        Name of the tree, with which the names of its tensors begin.
    tensors
        Receives the tensors by name, on the CPU.

    Returns
    -------
    Any
        The tree, ready for JSON; a tuple becomes a list.

    Raises
    ------
    TypeError
        A leaf is neither a tensor nor a primitive, or a key is not a string.
    """
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
        raise TypeError(f"key {key!r} is not a string: JSON would silently turn it into one")
    return key


def _escape(key: str) -> str:
    """Escape slashes in a key, as in RFC 6901, so that different keys have different names."""
    return key.replace("~", "~0").replace("/", "~1")


def unpack_state(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Put tensors back into a tree from which `pack_state` has moved them."""
    match value:
        case {"__tensor__": str(name)}:
            return tensors[name]
        case dict():
            return {key: unpack_state(item, tensors) for key, item in value.items()}
        case list():
            return [unpack_state(item, tensors) for item in value]
    return value


class Stateful(Protocol):
    """A part whose state a checkpoint holds: tensors and primitives only."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the part's future depends on."""
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

    topic_id: str | None = None
    """Id that Kafka gave the topic, if it gives any."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the state of all parts at one moment; the parts may change afterwards."""

    state: dict[str, Any]
    """State by part, with names in place of tensors."""

    tensors: dict[str, torch.Tensor]
    """Tensors by name, on the CPU."""


def take_snapshot(parts: Mapping[str, Stateful]) -> Snapshot:
    """Copy the state of parts.

    Parameters
    ----------
    parts
        Parts by name.
    """
    tensors: dict[str, torch.Tensor] = {}
    state = {name: pack_state(part.state_dict(), name, tensors) for name, part in parts.items()}
    return Snapshot(state, tensors)
