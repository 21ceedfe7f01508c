"""Decode the value and the headers of a record."""

from collections.abc import Iterable

from consumer.records import cloudevents
from consumer.records.formats import ValueFormat
from consumer.records.places import RecordContent
from newsreel.events.errors import DecodeError, Reason, shorten


def read_content(
    value: bytes,
    key: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    value_format: ValueFormat,
) -> tuple[cloudevents.Event, RecordContent]:
    """Return the CloudEvent of a record, and what its places are looked up in.

    Raises
    ------
    DecodeError
        The value is not in this format, or the name of a header is not UTF-8.
    RegistryError
        The schema registry does not answer.
    """
    by_name = _by_name(headers)
    decoded = value_format.decode(value)
    event = cloudevents.structured(decoded, by_name, value_format)
    data = decoded if event is None else event.data
    content = RecordContent(data, decoded, key, by_name)
    return event or cloudevents.binary(by_name), content


def _by_name(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, bytes | None]:
    """Return the headers; of several with one name, the last.

    Raises
    ------
    DecodeError
        A name is not UTF-8: kafka-python puts surrogates in its place (PEP 383).
    """
    by_name = dict(headers)
    for name in by_name:
        if name.isascii():
            continue
        if (shown := name.encode("utf-8", "backslashreplace").decode()) != name:
            raise DecodeError(
                Reason.BAD_HEADER, f"header {shorten(shown)}: its name is not valid UTF-8"
            )
    return by_name
