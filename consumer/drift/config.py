"""Options of drift detection. This module is imported early and imports neither torch nor river."""

from typing import Literal

DetectorName = Literal["adwin", "page-hinkley", "kswin"]

Reaction = Literal["forget", "nothing"]
