"""Describe a checkpoint, and refuse checkpoints that do not fit."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from newsreel.common.errors import UserError

FORMAT = 7
"""Version of the files; increased when an older newsreel can't read them."""

READABLE = (6, FORMAT)
"""Versions that can be read: 6 lacks the id of the topic."""

MANIFEST = "manifest.json"

DIGEST = "manifest_sha256"


class CheckpointError(UserError):
    """A checkpoint is not writable, is missing, is of another version, or does not fit."""


class BrokenCheckpointError(CheckpointError):
    """The files of a checkpoint are missing, or not what was written."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint belongs to; stored as ``manifest.json``."""

    format: int
    """Version of the files."""

    id: str
    """Name of the checkpoint's folder."""

    topic: str
    """Topic of the documents."""

    group: str
    """Consumer group that reads the topic."""

    positions: dict[str, int]
    """Next offset to read, by partition."""

    documents: int
    """Number of documents predicted since the stream began."""

    describes: dict[str, Any]
    """Model and options that a consumer must share to restore the checkpoint."""

    sha256: dict[str, str]
    """Digest of each file, by name."""

    topic_id: str | None = None
    """Id that Kafka gave the topic; None from a broker without such ids, or an older newsreel."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a checkpoint.

        Raises
        ------
        BrokenCheckpointError
            The manifest is missing or not what was written.
        CheckpointError
            The checkpoint has another format.
        """
        try:
            fields = json.loads((folder / MANIFEST).read_bytes())
            digest, version = fields.pop(DIGEST, None), fields["format"]
            if digest is not None and digest != _digest(fields):
                raise broken(folder, ValueError(f"{MANIFEST} is not what was written"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise broken(folder, error) from error
        if version not in READABLE:
            raise CheckpointError(
                f"checkpoint {str(folder)!r} has format {version!r}, this newsreel reads {FORMAT};"
                " use the newsreel that wrote it, or start over with another --checkpoint-dir"
                " and --group"
            )
        if digest is None:
            raise broken(folder, ValueError(f"{MANIFEST} has no digest"))
        try:
            return cls(**fields)
        except TypeError as error:
            raise broken(folder, error) from error

    def encode(self) -> bytes:
        """Return the content of the file, with a digest of the manifest itself."""
        fields = asdict(self)
        return json.dumps({**fields, DIGEST: _digest(fields)}, indent=2).encode()

    def require_fit(self, describes: Mapping[str, Any]) -> None:
        """Refuse a checkpoint of another model.

        Raises
        ------
        CheckpointError
            The message names each difference.
        """
        differences = [
            f"{_option(name)} is {_shown(name, then)} in the checkpoint and"
            f" {_shown(name, now)} in the options"
            for name, now in describes.items()
            if (then := self.describes.get(name)) != now
        ]
        if differences:
            raise CheckpointError(
                f"checkpoint {self.id} is of another model: {'; '.join(differences)}. Use the"
                " checkpoint's values, or start over with another --checkpoint-dir and --group"
            )

    def is_beyond(self, positions: Mapping[int, int]) -> bool:
        """Return whether the checkpoint has read past some positions, on any partition."""
        return any(end > positions.get(int(p), 0) for p, end in self.positions.items())

    def require_positions(self, positions: Mapping[int, int]) -> None:
        """Refuse to continue from other offsets than those of the checkpoint.

        Raises
        ------
        CheckpointError
            The group's offsets were moved since the commit.
        """
        moved = [p for p, offset in self.positions.items() if positions.get(int(p)) != offset]
        if moved:
            raise CheckpointError(
                f"the offsets of group {self.group!r} were moved since checkpoint {self.id}"
                f" (partition {', '.join(moved)}); set them back, or start over with another"
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
    """Build the error of a checkpoint whose files are not what was written."""
    return BrokenCheckpointError(
        f"checkpoint {str(folder)!r} is broken or incomplete ({error}); restore the folder from a"
        " copy, or start over with another --checkpoint-dir and --group"
    )
