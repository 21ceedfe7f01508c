"""What a checkpoint is of, and whether it fits."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from newsreel.common.errors import UserError

FORMAT = 6
"""Raised when an older newsreel could not read the files."""

MANIFEST = "manifest.json"

DIGEST = "manifest_sha256"


class CheckpointError(UserError):
    """A checkpoint can't be written, found, read, or does not fit."""


class BrokenCheckpointError(CheckpointError):
    """A checkpoint is not what was written."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint is of.

    ``describes`` is what the learner says of itself, ``positions`` the next offset of each
    partition of ``topic``, ``sha256`` the digest of each file.
    """

    format: int
    id: str
    topic: str
    group: str
    positions: dict[str, int]
    documents: int
    describes: dict[str, Any]
    sha256: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what a checkpoint is of.

        Raises
        ------
        BrokenCheckpointError
            It is missing or not what was written.
        CheckpointError
            It is of another format.
        """
        try:
            fields = json.loads((folder / MANIFEST).read_bytes())
            digest, version = fields.pop(DIGEST, None), fields["format"]
            if digest is not None and digest != _digest(fields):
                raise broken(folder, ValueError(f"{MANIFEST} is not what was written"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise broken(folder, error) from error
        if version != FORMAT:
            raise CheckpointError(
                f"checkpoint {str(folder)!r} has format {version!r}, this newsreel reads {FORMAT};"
                " use the newsreel that wrote it, or start afresh with another --checkpoint-dir"
                " and --group"
            )
        if digest is None:
            raise broken(folder, ValueError(f"{MANIFEST} has no digest"))
        try:
            return cls(**fields)
        except TypeError as error:
            raise broken(folder, error) from error

    def encode(self) -> bytes:
        """Write it, with a digest of its own."""
        fields = asdict(self)
        return json.dumps({**fields, DIGEST: _digest(fields)}, indent=2).encode()

    def require_fit(self, describes: Mapping[str, Any]) -> None:
        """Refuse a checkpoint of another model.

        Raises
        ------
        CheckpointError
            Naming each difference.
        """
        differences = [
            f"{_option(name)} is {_shown(name, then)} there and {_shown(name, now)} here"
            for name, now in describes.items()
            if (then := self.describes.get(name)) != now
        ]
        if differences:
            raise CheckpointError(
                f"checkpoint {self.id} is of another model: {'; '.join(differences)}. Set these"
                " back, or start afresh with another --checkpoint-dir and --group"
            )

    def is_beyond(self, positions: Mapping[int, int]) -> bool:
        """Whether it has read further than some positions, on any partition."""
        return any(end > positions.get(int(p), 0) for p, end in self.positions.items())

    def require_positions(self, positions: Mapping[int, int]) -> None:
        """Refuse to go on from other offsets than those that the checkpoint ends at.

        Raises
        ------
        CheckpointError
            Somebody has moved the group's offsets.
        """
        moved = [p for p, offset in self.positions.items() if positions.get(int(p)) != offset]
        if moved:
            raise CheckpointError(
                f"the offsets of group {self.group!r} were moved since checkpoint {self.id}"
                f" (partition {', '.join(moved)}); set them back, or start afresh with another"
                " --checkpoint-dir and --group"
            )


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _option(name: str) -> str:
    if name == "model_weights":
        return "the SHA-256 of the weights of --model"
    return f"--{name.replace('_', '-')}"


def _shown(name: str, value: Any) -> str:
    if name == "layers" and value is None:
        return "all"
    return ",".join(value) if isinstance(value, list) else str(value)


def broken(folder: Path, error: Exception) -> BrokenCheckpointError:
    """Build the error of a checkpoint that is not what was written."""
    return BrokenCheckpointError(
        f"checkpoint {str(folder)!r} is broken or incomplete ({error}); restore the folder from a"
        " copy, or start afresh with another --checkpoint-dir and --group"
    )
