"""Records that are no documents, drawn with hypothesis, each with the reason that it must get."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from events.cloudevents import MAX_ID_CHARACTERS, attributes
from events.document import MAX_LABEL_CHARACTERS
from events.errors import Reason
from soak.wire import Raw
