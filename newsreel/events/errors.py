"""Errors of records and documents."""

from enum import StrEnum

SHOWN_CHARACTERS = 80
"""Most characters of a wrong value that a message repeats."""


class Reason(StrEnum):
    """Reasons why a record can't be decoded or learned: a closed set, fit for a metric label."""

    TOO_LARGE = "too_large"
    NO_VALUE = "no_value"
    BAD_ID = "bad_id"
    BAD_HEADER = "bad_header"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    BAD_SCHEMA = "bad_schema"
    WRONG_SHAPE = "wrong_shape"
    EMPTY_TEXT = "empty_text"
    LABEL_LENGTH = "label_length"
    LABEL_LIMIT = "label_limit"
    DIVERGED = "diverged"


class DecodeError(ValueError):
    """A record can't be read; the message names the wrong part."""

    def __init__(self, reason: Reason, detail: str) -> None:
        # Names of headers and fields come from the record and may contain line breaks.
        super().__init__(" ".join(detail.splitlines()))
        self.reason = reason


class EncodeError(ValueError):
    """A document or label breaks the wire contract; the message names the wrong part."""


def shorten(content: str | None) -> str:
    """Return the representation of a wrong value, cut to its first characters."""
    return repr(content if content is None else content[:SHOWN_CHARACTERS])
