"""Restore a checkpoint as the consumer does at its start, into parts that keep a digest."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from consumer.checkpoints.manifest import CheckpointError, Manifest
from consumer.checkpoints.state import pack_state
from consumer.checkpoints.store import STATE, restore_checkpoint


class DigestPart:
    """A part that keeps a digest of its loaded state."""

    def __init__(self) -> None:
        self.digest = ""

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state, which is never saved."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Compute the digest of a state with its tensors."""
        tensors: dict[str, torch.Tensor] = {}
        packed = json.dumps(pack_state(state, "state", tensors), sort_keys=True)
        self.digest = hashlib.sha256(packed.encode() + safetensors.torch.save(tensors)).hexdigest()


class Restoration:
    """Restores damaged copies of a checkpoint and compares them with the original.

    Parameters
    ----------
    folder
        Folder of the undamaged checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._manifest = Manifest.read(folder)
        self._parts: Sequence[str] = list(json.loads((folder / STATE).read_bytes()))
        self._expected = self._restore(folder)

    def attempt(self, folder: Path) -> str:
        """Restore a copy; return "refused", "the same", or a description of a failure."""
        try:
            found = self._restore(folder)
        except CheckpointError:
            return "refused"
        except Exception as error:  # noqa: BLE001 - the trial looks for any other error
            return f"ended with {type(error).__name__}: {error}"
        return "the same" if found == self._expected else "another model"

    def _restore(self, folder: Path) -> dict[str, str]:
        manifest = Manifest.read(folder)
        manifest.require_fit(self._manifest.describes)
        positions = {int(partition): end for partition, end in self._manifest.positions.items()}
        manifest.require_positions(positions)
        parts = {name: DigestPart() for name in self._parts}
        restore_checkpoint(folder, parts)
        return {name: part.digest for name, part in parts.items()}
