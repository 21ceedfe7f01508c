"""Labels as they are learned: one spelling each, renamed and merged as a file says."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from newsreel.common.errors import UserError
from newsreel.events.errors import shorten
from newsreel.events.label_text import normalized
from newsreel.events.record import MAX_LABEL_CHARACTERS

log = structlog.get_logger()

FORM = (
    "write new names, or null for documents that count as unlabelled, by old names, such as"
    ' {"Billing": "billing", "test": null}'
)
"""Remedy for a file of another form."""


class LabelMapError(UserError):
    """The file of ``--label-map`` can't be used."""


class LabelNames:
    """Gives each label its name.

    Parameters
    ----------
    renamed
        New names of some labels, by their normalized names; None where a label counts as none.

    Examples
    --------
    >>> names = LabelNames({"Billing": "billing", "test": None})
    >>> [names.of(label) for label in (" Billing", "test", "spam", " ")]
    ['billing', None, 'spam', None]
    """

    def __init__(self, renamed: Mapping[str, str | None] | None = None) -> None:
        self._renamed = renamed or {}

    @classmethod
    def read(cls, path: Path | None) -> "LabelNames":
        """Read a file that renames labels: a JSON object of names, or null, by name.

        Raises
        ------
        LabelMapError
            The file can't be read, or holds something else.
        """
        if path is None:
            return cls()
        try:
            content = path.expanduser().read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LabelMapError(
                f"--label-map {str(path)!r} can't be read ({reason}); name a file of JSON in UTF-8"
            ) from error
        try:
            renamed = json.loads(content, object_pairs_hook=_renamed)
        except (ValueError, RecursionError) as error:
            raise LabelMapError(f"--label-map {str(path)!r}: {error}; {FORM}") from error
        if not isinstance(renamed, dict):
            raise LabelMapError(f"--label-map {str(path)!r} holds no JSON object; {FORM}")
        return cls(renamed)

    def of(self, label: str) -> str | None:
        """Return the name of a label; None if the label is blank or counts as none."""
        name = normalized(label)
        return self._renamed.get(name, name) or None


def _renamed(pairs: Sequence[tuple[str, object]]) -> dict[str, str | None]:
    """Return the new names by their normalized old names.

    Raises
    ------
    ValueError
        A new name can't be a label, or an old name has two new ones.
    """
    renamed: dict[str, str | None] = {}
    for name, new in pairs:
        old, shown = normalized(name), shorten(name)
        if not old:
            raise ValueError("a name is blank, and blank labels are none")
        if new is not None and not (isinstance(new, str) and normalized(new)):
            raise ValueError(f"the new name of {shown} is no string, or blank")
        label = None if new is None else normalized(new)
        if label is not None and len(label) > MAX_LABEL_CHARACTERS:
            raise ValueError(
                f"the new name of {shown} has {len(label)} characters, at most"
                f" {MAX_LABEL_CHARACTERS} are allowed"
            )
        if renamed.setdefault(old, label) != label:
            raise ValueError(f"{shown} is named twice, with different new names")
    return renamed


class SpellingCheck:
    """Warns once of labels that differ in case or blanks only; they are learned as they are."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._spellings: dict[str, str] = {}
        self._warned: set[str] = set()

    def observe(self, label: str) -> None:
        """Compare a label, of a bounded number of labels, with those before it."""
        if label in self._known:
            return
        self._known.add(label)
        folded = "".join(label.casefold().split())
        other = self._spellings.setdefault(folded, label)
        if other != label and folded not in self._warned:
            self._warned.add(folded)
            log.warning(
                "labels differ in case or blanks only, and are learned as different labels; merge"
                " them with --label-map",
                labels=[other, label],
            )
