"""What became of the documents."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts so far: acknowledged by the broker, refused for their size, against the contract.

    ``first_failed`` and ``first_skipped`` say which was the first such document, and why.
    ``labels`` are those that came later than their documents. ``changes`` are those of the stream
    that were told, by scenario and what it was; of the last such, ``changed`` says when, in seconds
    since 1970, and ``behind`` after how many documents.
    """

    delivered: int = 0
    delivered_bytes: int = 0
    failed: int = 0
    first_failed: str = ""
    skipped: int = 0
    labels: int = 0
    first_skipped: str = ""
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: dict[tuple[str, str], float] = field(default_factory=dict)
    behind: dict[tuple[str, str], float] = field(default_factory=dict)
