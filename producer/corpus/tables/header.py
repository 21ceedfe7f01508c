"""Names of columns: whether the first row has them, and what a column without a name holds."""

import re
from collections.abc import Collection, Sequence

TEXT_NAMES = frozenset(
    {
        *("text", "body", "content", "message", "msg", "review", "reviewtext", "review_text"),
        *("comment", "tweet", "sentence", "document", "description", "headline", "title"),
        *("subject", "sms", "email", "question", "utterance", "post", "article", "news"),
        *("query", "summary", "abstract", "comment_text", "review_body", "v2", "line"),
    }
)
"""Usual names of columns of text."""

LABEL_NAMES = frozenset(
    {
        *("label", "labels", "class", "category", "categories", "target", "sentiment"),
        *("topic", "intent", "emotion", "polarity", "rating", "stars", "score", "type", "tag"),
        *("group", "queue", "classification", "annotation", "gold", "y", "v1", "section"),
        *("genre", "airline_sentiment", "department", "product", "overall"),
    }
)
"""Usual names of columns of labels."""

OTHER_NAMES = frozenset(
    {
        *("id", "uuid", "index", "date", "time", "timestamp", "created", "created_at", "user"),
        *("author", "name", "url", "link", "source", "lang", "language", "split", "ids"),
        *("unnamed:0", "row"),
    }
)

MAX_NAME_CHARACTERS = 60

_NUMBER = re.compile(r"[-+]?[\d.,]+%?")

_NAME = re.compile(r"[^\W\d][\w.:/#-]{0,39}|[A-Z][\w.-]*(?: [A-Z(][\w.)-]*){1,3}")


def folded(name: str) -> str:
    """Return a name without the differences that people do not see: case and blanks around it."""
    return name.strip().strip('"').casefold()


def hits(first: Sequence[str], wanted: Collection[str]) -> int:
    """Return the number of cells that are names of columns: wanted ones, or usual ones."""
    names = {folded(name) for name in wanted} | TEXT_NAMES | LABEL_NAMES | OTHER_NAMES
    return sum(folded(cell) in names for cell in first)


def is_header(rows: Sequence[Sequence[str]], wanted: Collection[str]) -> bool:
    """Return whether the first row has the names of the columns.

    Parameters
    ----------
    rows
        First rows of the file.
    wanted
        Names of columns that the user gave.
    """
    first, data = [cell.strip() for cell in rows[0]], rows[1:]
    cells = [folded(cell) for cell in first]
    if any(folded(name) in cells for name in wanted):
        return True
    if any(len(cell) > MAX_NAME_CHARACTERS or _NUMBER.fullmatch(cell) for cell in first):
        return False
    columns = [{row[place].strip() for row in data} for place in range(len(first))]
    if any(cell and cell in column for cell, column in zip(first, columns, strict=True)):
        return False
    if hits(first, wanted):
        return True
    return bool(data) and all(_NAME.fullmatch(cell) for cell in first) and len({*first}) > 1


def describe(rows: Sequence[Sequence[str]], place: int) -> str:
    """Return the values of a column that a message shows."""
    values = list(dict.fromkeys(row[place].strip()[:20] for row in rows))
    return ", ".join(values[:3]) + (", ..." if len(values) > 3 else "")  # noqa: PLR2004


def text_place(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the place of the column that holds texts: by far the longest cells."""
    lengths = [sum(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    by_length = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    if len(by_length) > 1 and lengths[by_length[1]] > 0.7 * lengths[by_length[0]]:
        return None
    return by_length[0]


def label_places(rows: Sequence[Sequence[str]], text: int | None) -> list[int]:
    """Return the places of columns that may hold labels: short values that repeat."""
    places = []
    for place in range(len(rows[0])):
        values = [row[place].strip() for row in rows]
        known = {value for value in values if value}
        is_short = max(map(len, values)) <= MAX_NAME_CHARACTERS
        repeats = len(known) * 2 <= len(values) or len(values) < 10  # noqa: PLR2004
        if place != text and known and is_short and repeats:
            places.append(place)
    kinds = {place: len({row[place] for row in rows}) for place in places}
    places = [place for place in places if kinds[place] < len(rows)] or places
    return [place for place in places if kinds[place] > 1] or places
