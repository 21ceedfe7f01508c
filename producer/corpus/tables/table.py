"""Documents in a table of the user: recognized by its content, one document a row."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from newsreel.events.document import Document
from newsreel.events.scalars import whole
from producer.corpus import times
from producer.corpus.tables import content, encodings, fasttext, json_rows, labels
from producer.corpus.tables.bad_rows import BadRows
from producer.corpus.tables.columns import ColumnNames, Columns
from producer.corpus.tables.rows import BadRow, Rows, TableError, kind
from producer.corpus.tables.separated import SeparatedRows

HEAD_BYTES = 1 << 16

PARAGRAPH = "\n\n"
"""Blank line between the texts of several columns."""

JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})

log = structlog.get_logger()


@dataclass(frozen=True)
class Format:
    """What the user says about a file; None for what is to be recognized.

    Parameters
    ----------
    separator
        Characters between cells; empty if each line is one cell.
    quoting
        A key of `dialect.QUOTINGS`.
    named
        Whether the first row has the names of the columns.
    encoding
        Name of the codec.
    """

    separator: str | None = None
    quoting: str | None = None
    named: bool | None = None
    encoding: str | None = None


class Table:
    """The documents of a file, which can be read several times.

    How the file is read is logged when its documents are read for the first time.

    Parameters
    ----------
    path
        Path of the file.
    names
        Names of the columns.
    form
        What the user says about the file.
    stop
        Whether the first bad row is an error; otherwise bad rows are skipped.

    Raises
    ------
    TableError
        The file can't be read, or a column is missing.
    """

    def __init__(
        self,
        path: Path,
        names: ColumnNames = ColumnNames(),  # noqa: B008 - it can't be changed
        form: Format = Format(),
        *,
        stop: bool = False,
    ) -> None:
        self._path = path
        self._rows = _rows(path, names, form)
        if not self._rows.names:
            raise self._unusable()
        columns = Columns(path, self._rows)
        self._places = columns.choose(names)
        self._remarks: list[str] | None = columns.remarks
        place = self._places.label
        sample = self._rows.sample()
        self._numeric = place is not None and labels.are_numbers(row[place] for row in sample)
        self._stop = stop
        self._bad = BadRows(path, self._rows.place, stop=stop)

    def __iter__(self) -> Iterator[Document]:
        """Read the documents.

        Raises
        ------
        TableError
            There is no document, or too many rows can't be used.
        """
        self._announce()
        self._bad.begin()
        return self._read(self._bad)

    def check(self) -> None:
        """Read the first document, without a log line.

        Raises
        ------
        TableError
            There is no document.
        """
        next(self._read(BadRows(self._path, self._rows.place, stop=self._stop, shown=0)))

    def _read(self, bad: BadRows) -> Iterator[Document]:
        places = self._places
        others = [place for place in (places.label, places.id, places.time) if place is not None]
        unlabelled: Counter[str] = Counter()
        number = labelled = 0
        for number, (line, cells) in enumerate(self._rows.read([*places.text, *others]), 1):
            document = cells if isinstance(cells, BadRow) else self._document(number, cells)
            if isinstance(document, BadRow):
                bad.add(line, document.reason, number)
                continue
            labelled += document.label is not None
            if document.label is None and places.label is not None:
                assert not isinstance(cells, BadRow)  # noqa: S101 - its document is no bad row
                unlabelled[str(cells[len(places.text)]).strip()] += 1
            yield document
        if number == 0:
            raise self._unusable()
        bad.end(number)
        if unlabelled:
            event = "some rows have no label" if labelled else "no row has a label"
            log.warning(event, rows=unlabelled.total(), written=dict(unlabelled.most_common(5)))

    def _document(self, number: int, cells: Sequence[Any]) -> Document | BadRow:
        names, places = self._rows.names, self._places
        parts = []
        for place, cell in zip(places.text, cells, strict=False):
            if cell is not None and not isinstance(cell, str):
                return BadRow(f"{names[place]!r} is {kind(cell)}, not text")
            if cell and cell.strip():
                parts.append(cell)
        rest = iter(cells[len(places.text) :])
        scalars = []
        for at in (places.label, places.id, places.time):
            value = "" if at is None else labels.text(next(rest))
            if isinstance(value, BadRow):
                return BadRow(f"{names[at or 0]!r} is {value.reason}, not text or a number")
            scalars.append(whole(value))
        label, id_, time = scalars
        if places.id is not None and not id_.strip():
            return BadRow(f"{names[places.id]!r} is empty")
        try:
            due = None if labels.is_missing(time) else times.parse(time, "its time")
        except times.TimesError as error:
            return BadRow(str(error))
        return Document(
            id_ if places.id is not None else f"{self._path.name}:{number}",
            whole(PARAGRAPH.join(parts)),
            labels.label(label, numeric=self._numeric),
            due,
        )

    def _announce(self) -> None:
        """Log how the file is read, once."""
        if self._remarks is None:
            return
        names, places = self._rows.names, self._places
        compression = content.compression(self._path)
        form = ", ".join(filter(None, (self._rows.description, compression)))
        log.info(
            f"read as: {form}",  # noqa: G004 - the event is a sentence for people
            file=self._path.name,
            text=", ".join(names[place] for place in places.text),
            label=None if places.label is None else names[places.label],
        )
        for remark in self._remarks:
            log.warning(remark, file=self._path.name)
        self._remarks = None

    def _unusable(self) -> TableError:
        """Return the error of a file without documents: its first bad row, or that it is empty."""
        for line, row in self._rows.read(()):
            if isinstance(row, BadRow):
                return TableError(f"{self._path}, {self._rows.place} {line}: {row.reason}")
        return TableError(f"{self._path} contains no documents; give a file that does")


def _rows(path: Path, names: ColumnNames, form: Format) -> Rows:
    """Return the rows of a file in its format, which its content decides."""
    with content.opened(path) as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(content.PARQUET):
        from producer.corpus.tables.parquet import ParquetRows  # noqa: PLC0415 - slow to import

        return ParquetRows(path)
    content.refuse_binary(path, head)
    encoding = form.encoding or encodings.detect(path)
    text = next(encodings.text(path, encoding), "")[:HEAD_BYTES]
    content.refuse_controls(path, text)
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if json_rows.fits(text, named_json=bool(suffixes & JSON_SUFFIXES)):
        return json_rows.JsonRows(path, encoding)
    if fasttext.fits(path, encoding):
        return fasttext.FastTextRows(path, encoding)
    return SeparatedRows(path, encoding, names.given, form.separator, form.quoting, form.named)
