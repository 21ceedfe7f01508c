"""Restore a checkpoint as the consumer does at its start, into parts that only look at it."""

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


class Looker:
    """A part that remembers a digest of the state it was given."""

    def __init__(self) -> None:
        self.digest = ""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: nothing is saved here."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Look at a state, tensors and all."""
        tensors: dict[str, torch.Tensor] = {}
        packed = json.dumps(pack_state(state, "state", tensors), sort_keys=True)
        self.digest = hashlib.sha256(packed.encode() + safetensors.torch.save(tensors)).hexdigest()


class Restoring:
    """Knows what a checkpoint holds, and says what becomes of damaged copies of it.

    Parameters
    ----------
    folder
        The checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._manifest = Manifest.read(folder)
        self._parts: Sequence[str] = list(json.loads((folder / STATE).read_bytes()))
        self._expected = self._restored(folder)

    def fate(self, folder: Path) -> str:
        """Restore a copy: "refused" and "the same" are good, anything else is not."""
        try:
            found = self._restored(folder)
        except CheckpointError:
            return "refused"
        except Exception as error:  # noqa: BLE001 - any other is what is looked for
            return f"ended with {type(error).__name__}: {error}"
        return "the same" if found == self._expected else "another model"

    def _restored(self, folder: Path) -> dict[str, str]:
        manifest = Manifest.read(folder)
        manifest.require_fit(self._manifest.describes)
        positions = {int(partition): end for partition, end in self._manifest.positions.items()}
        manifest.require_positions(positions)
        parts = {name: Looker() for name in self._parts}
        restore_checkpoint(folder, parts)
        return {name: part.digest for name, part in parts.items()}
