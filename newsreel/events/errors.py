"""Errors of records and documents."""

import re
from enum import StrEnum

SHOWN_CHARACTERS = 80
"""Most characters of a wrong value that a message repeats."""

MAX_DETAIL = 500
"""Most characters of a message about a record."""

_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Line breaks, other control characters, and halves of surrogate pairs."""


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
    NOT_FINITE = "not_finite"


NOT_LEARNED = frozenset({Reason.DIVERGED, Reason.NOT_FINITE})
"""Reasons of documents that were decoded and predicted, and could not be learned."""


class DecodeError(ValueError):
    """A record can't be read; the message names the wrong part."""

    def __init__(self, reason: Reason, detail: str) -> None:
        # Names of headers and fields come from the record, and options may name long places.
        detail = one_line(detail)
        cut = detail if len(detail) <= MAX_DETAIL else detail[: MAX_DETAIL - 3] + "..."
        super().__init__(cut)
        self.reason = reason


class EncodeError(ValueError):
    """A document or label breaks the wire contract; the message names the wrong part."""


def one_line(content: str) -> str:
    """Replace line breaks, control characters and halves of surrogate pairs by blanks."""
    return _UNSHOWN.sub(" ", content)


def shorten(content: str | None) -> str:
    """Return the representation of a wrong value, cut to its first characters."""
    return repr(content if content is None else content[:SHOWN_CHARACTERS])
