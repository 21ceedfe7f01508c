"""Labels as they are learned: one spelling each, renamed and merged as a file says."""

import json
from collections.abc import Mapping
from pathlib import Path

import structlog

from newsreel.common.errors import UserError
from newsreel.events.label_text import normalized

log = structlog.get_logger()


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
            content = json.loads(path.expanduser().read_text("utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LabelMapError(f"--label-map {str(path)!r} can't be read ({reason})") from error
        if not isinstance(content, dict):
            raise LabelMapError(
                f"--label-map {str(path)!r} holds no JSON object; write new names by old names,"
                ' such as {"Billing": "billing", "test": null}'
            )
        renamed: dict[str, str | None] = {}
        for name, new in content.items():
            if new is not None and not (isinstance(new, str) and normalized(new)):
                raise LabelMapError(
                    f"--label-map {str(path)!r}: the new name of {name!r} is {json.dumps(new)};"
                    " write a string, or null for documents that count as unlabelled"
                )
            old = normalized(name)
            if old in renamed and renamed[old] != new:
                raise LabelMapError(f"--label-map {str(path)!r} names {old!r} twice")
            renamed[old] = None if new is None else normalized(new)
        return cls(renamed)

    def of(self, label: str) -> str | None:
        """Return the name of a label; None if the label is blank or counts as none."""
        name = normalized(label)
        return self._renamed.get(name, name) or None


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
