"""What became of the documents."""

from dataclasses import dataclass


@dataclass
class Tally:
    """Counts so far: acknowledged by the broker, refused for their size, against the contract.

    ``first_failed`` and ``first_skipped`` say which was the first such document, and why.
    """

    delivered: int = 0
    delivered_bytes: int = 0
    failed: int = 0
    first_failed: str = ""
    skipped: int = 0
    first_skipped: str = ""
