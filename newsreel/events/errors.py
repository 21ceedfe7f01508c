"""What can be wrong with a record or a document."""

from enum import StrEnum

SHOWN_CHARACTERS = 80
"""How much of an offending part a message repeats."""


class Reason(StrEnum):
    """Why a record can't be used, or not be learned: a closed set, fit for a metric label."""

    TOO_LARGE = "too_large"
    NO_VALUE = "no_value"
    BAD_ID = "bad_id"
    BAD_HEADER = "bad_header"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    EMPTY_TEXT = "empty_text"
    LABEL_LENGTH = "label_length"
    LABEL_LIMIT = "label_limit"
    DIVERGED = "diverged"


class DecodeError(ValueError):
    """A record breaks the wire contract; the message says where and how."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(" ".join(detail.splitlines()))  # names come from the record
        self.reason = reason


class EncodeError(ValueError):
    """A document can't be written as a record; the message says where and why."""


def shorten(content: str | None) -> str:
    """Show an offending part, or the beginning of it."""
    return repr(content if content is None else content[:SHOWN_CHARACTERS])
