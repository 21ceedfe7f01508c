"""Which columns of a table hold texts, labels, ids and times."""

import difflib
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from producer.corpus.tables import header
from producer.corpus.tables.rows import Rows, TableError

TEXT, LABEL = "text", "label"
"""Names of the columns of text and label if the user gives none."""

NO_LABELS = "none"

_SHORT = reprlib.Repr()

_SHORT.maxlist = 20  # columns that a message shows if one is missing


@dataclass(frozen=True)
class ColumnNames:
    """Names of columns that the user gave; None for what is to be recognized.

    Parameters
    ----------
    text
        Column of the text, or several separated by commas.
    label
        Column of the label; ``none`` if there is none.
    id, time
        Columns of the id and of the time; None if there are none.
    """

    text: str | None = None
    label: str | None = None
    id: str | None = None
    time: str | None = None

    @property
    def given(self) -> list[str]:
        """Names of columns that a row of names has."""
        names = [*(self.text or TEXT).split(","), self.label, self.id, self.time]
        return [name for name in names if name and name != NO_LABELS and not name.isdecimal()]


@dataclass(frozen=True)
class Places:
    """Places of the columns among all columns of a table; None where there is none."""

    text: tuple[int, ...]
    label: int | None
    id: int | None
    time: int | None


class Columns:
    """Finds columns by their names, and by what they hold where they have no names.

    Parameters
    ----------
    path
        Path of the file, for messages.
    rows
        Rows of the file.

    Attributes
    ----------
    remarks
        What the user should know about the chosen columns.
    """

    def __init__(self, path: Path, rows: Rows) -> None:
        self.remarks: list[str] = []
        self._path = path
        self._names = rows.names
        self._sample = rows.sample()
        self._named = list(rows.names) != [str(number + 1) for number in range(len(rows.names))]

    def choose(self, given: ColumnNames) -> Places:
        """Return the places of the columns.

        Raises
        ------
        TableError
            A column is missing, or it is not clear which column is meant.
        """
        text = self._text(given.text)
        label = self._label(given.label, text)
        id_ = None if given.id is None else self._find(given.id, "--id-column")
        time = None if given.time is None else self._find(given.time, "--time-column")
        return Places(text, label, id_, time)

    def _text(self, given: str | None) -> tuple[int, ...]:
        if given is None and not self._named and self._sample:
            place = header.text_place(self._sample)
            if place is None:
                raise self._unclear("texts", "--text-column", range(len(self._names)))
            return (place,)
        name = given or TEXT
        names = [name] if name in self._names else name.split(",")
        return tuple(self._find(one, "--text-column") for one in names)

    def _label(self, given: str | None, text: Sequence[int]) -> int | None:
        if given == NO_LABELS and NO_LABELS not in self._names:
            return None
        if given is None and len(self._names) == 1:
            self.remarks.append("the file has one column: documents have no labels")
            return None
        if given is None and not self._named and self._sample:
            places = header.label_places(self._sample, text[0])
            if len(places) != 1:
                raise self._unclear("labels", "--label-column", places)
            return places[0]
        return self._find(given or LABEL, "--label-column")

    def _find(self, name: str, option: str) -> int:
        exact = [place for place, other in enumerate(self._names) if other == name]
        alike = [
            place
            for place, other in enumerate(self._names)
            if header.folded(other) == header.folded(name)
        ]
        found = exact or alike
        if len(found) > 1:
            numbers = " and ".join(str(place + 1) for place in found)
            raise TableError(
                f"{self._path}: columns {numbers} are both named {self._names[found[0]]!r}; give"
                f" the number of one with {option}, such as {found[0] + 1}"
            )
        if found and not exact:
            self.remarks.append(f"column {self._names[found[0]]!r} is taken for {name!r}")
        if found:
            return found[0]
        if name.isdecimal() and 0 < int(name) <= len(self._names):
            return int(name) - 1
        raise self._missing(name.strip(), option)

    def _missing(self, name: str, option: str) -> TableError:
        usual = {"--text-column": header.TEXT_NAMES, "--label-column": header.LABEL_NAMES}
        known = usual.get(option, frozenset())
        close = [one for one in self._names if header.folded(one) in known]
        close = close or difflib.get_close_matches(name, self._names, n=1)
        such = f", such as {option} {close[0].strip()!r}" if close else ""
        none = f", or {option} {NO_LABELS} if there are no labels" if name == LABEL else ""
        return TableError(
            f"{self._path} has no column {name!r} (there are: {_SHORT.repr(list(self._names))});"
            f" name one of them with {option}{such}{none}"
        )

    def _unclear(self, what: str, option: str, places: Sequence[int]) -> TableError:
        shown = places or range(len(self._names))
        some = "; ".join(
            f"{place + 1}: {header.describe(self._sample, place)}" for place in list(shown)[:10]
        )
        none = f", or {NO_LABELS}" if what == "labels" else ""
        return TableError(
            f"{self._path} has no names of columns, and it is not clear which one holds the {what}"
            f" ({some}); give the number of one with {option}{none}"
        )
