"""Rows that can't be used: skipped and counted, up to one in a hundred."""

from pathlib import Path

import structlog

from producer.corpus.tables.rows import TableError

MAX_PERCENT = 1

MIN_ROWS = 10_000
"""Rows over which bad rows are counted before the end: a few at the beginning end no stream."""

SHOWN = 5

log = structlog.get_logger()


class BadRows:
    """Counts the bad rows of a file; the first are logged.

    Parameters
    ----------
    path
        Path of the file.
    place
        What the numbers of rows count: ``line`` or ``row``.
    stop
        Whether the first bad row is an error.
    shown
        Largest number of rows to log.
    """

    def __init__(self, path: Path, place: str, *, stop: bool, shown: int = SHOWN) -> None:
        self._path = path
        self._place = place
        self._stop = stop
        self._most_shown = shown
        self._shown: set[int] = set()
        self._count = 0
        self._first = ""

    def begin(self) -> None:
        """Begin to count, as the file is read from its beginning."""
        self._count, self._first = 0, ""

    def add(self, number: int, reason: str, rows: int) -> None:
        """Count a bad row.

        Parameters
        ----------
        number
            Number of its line, or of the row where the format has no lines.
        reason
            Why it can't be used.
        rows
            Rows that were read.

        Raises
        ------
        TableError
            It is one too many.
        """
        self._count += 1
        self._first = self._first or f"{self._place} {number}: {reason}"
        if self._stop:
            raise TableError(
                f"{self._path}, {self._first}; correct it, or skip such rows with --bad-rows skip"
            )
        if len(self._shown) < self._most_shown and number not in self._shown:
            self._shown.add(number)
            log.warning("row skipped", **{self._place: number}, reason=reason)
        self._check(max(rows, MIN_ROWS), f"the first {rows}")

    def end(self, rows: int) -> None:
        """Log the number of bad rows.

        Raises
        ------
        TableError
            They are more than one in a hundred.
        """
        self._check(rows, str(rows))
        if self._count:
            log.warning("rows skipped", bad=self._count, of=rows, first=self._first)

    def _check(self, rows: int, among: str) -> None:
        if self._count * 100 > MAX_PERCENT * rows:
            raise TableError(
                f"{self._path}, {self._first}; {self._count} of {among} rows can't be used, more"
                f" than {MAX_PERCENT} %: correct the file, or say how it is written with"
                " --separator, --quoting, --header, --encoding or the names of columns"
            )
