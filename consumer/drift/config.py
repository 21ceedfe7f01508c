"""Choices of drift detection. Imports nothing heavy: options are parsed with it."""

from typing import Literal

DetectorName = Literal["adwin", "page-hinkley", "kswin"]

Reaction = Literal["forget", "nothing"]
