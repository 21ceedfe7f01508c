"""Shorten the values of records for topics that refuse their size."""

import json
from collections.abc import Iterator

FEWER_LABELS = (100, 10, 1)
"""Labels in the record of a drift, from one value to the next."""


def fewer_probabilities(value: bytes) -> Iterator[bytes]:
    """Yield the value of a prediction with its first probability only, and with none."""
    prediction = json.loads(value)
    for count in (1, 0):
        prediction["probabilities"] = dict(list(prediction["probabilities"].items())[:count])
        yield json.dumps(prediction, ensure_ascii=False).encode()


def fewer_labels(value: bytes) -> Iterator[bytes]:
    """Yield the value of a drift with fewer of the labels that were forgotten, and their number."""
    drift = json.loads(value)
    drift["forgotten_labels"] = len(drift["forgotten"])
    for count in FEWER_LABELS:
        if count < len(drift["forgotten"]):
            drift["forgotten"] = drift["forgotten"][:count]
            yield json.dumps(drift, ensure_ascii=False).encode()
