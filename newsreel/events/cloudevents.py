"""The key and headers of a record: CloudEvents 1.0, Kafka binding, binary mode."""

import re
from collections.abc import Iterable
from datetime import datetime

CE_TYPE = "newsreel.document"

CONTENT_TYPE = "application/json"

MAX_ID_CHARACTERS = 1024

RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)

Headers = list[tuple[str, bytes]]


def attributes(id_: str, source: str, time: datetime, type_: str = CE_TYPE) -> Headers:
    """Encode the attributes of an event as headers.

    Parameters
    ----------
    id_
        Id of the event; for a document or label, the id of the document.
    source
        URI reference of the event's origin.
    time
        Time of the event, with an offset.
    type_
        Type of the event.
    """
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", id_.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
        ("ce_time", time.isoformat().encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]


def size(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Return the approximate size of headers in bytes: names count by their characters."""
    return sum(len(name) + len(content or b"") for name, content in headers)


def check_id(id_: str) -> None:
    """Refuse an id that no record may have.

    Raises
    ------
    ValueError
        The id is empty, too long, or holds half of a surrogate pair.
    """
    id_.encode()
    if not 0 < len(id_) <= MAX_ID_CHARACTERS:
        raise ValueError(
            f"id: {len(id_)} characters, between 1 and {MAX_ID_CHARACTERS} are allowed"
        )


def check_source(source: str) -> None:
    """Refuse a source that is empty: CloudEvents requires one.

    Raises
    ------
    ValueError
    """
    if not source:
        raise ValueError("source: it is empty")
