"""Define where a new group begins to read; importable without Kafka's client."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator


def _since(given: object) -> object:
    """Return where a new group begins: a word, or a time that is not in the future.

    Raises
    ------
    ValueError
        It is neither.
    """
    if given in ("earliest", "latest"):
        return given
    try:
        time = datetime.fromisoformat(str(given))
    except ValueError:
        raise ValueError(
            "should be earliest, latest or a time in ISO 8601, such as 2026-01-05T12:00"
        ) from None
    time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    if not datetime.fromtimestamp(0, UTC) <= time <= datetime.now(UTC):
        raise ValueError("should be a time between 1970 and now")
    return time


Since = Annotated[Literal["earliest", "latest"] | datetime, BeforeValidator(_since)]
"""Where a new group begins; a time without a zone is UTC."""
