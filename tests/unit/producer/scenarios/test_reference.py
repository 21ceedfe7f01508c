"""docs/scenarios.md lists all scenarios with their parameters."""

import re
from pathlib import Path

import pytest

from benchmarks.scenarios.columns import SCENARIOS
from producer.scenarios import plan

PAGE = (Path(__file__).parents[4] / "docs/scenarios.md").read_text()


@pytest.mark.parametrize("name", plan.NAMES)
def test_reference(name: str) -> None:
    """Each scenario has a row with all of its parameters and defaults, and a picture."""
    (parameters,) = re.findall(
        rf"^\| `{name}` \| (.*?) \| ", PAGE.replace(" |  |", " | |"), re.MULTILINE
    ) or [""]
    documented = dict(pair.split("=") for pair in re.findall(r"`(\w+=[\w.]+)`", parameters))
    known = {
        key: str(getattr(default, "amount", default)).removesuffix(".0")
        for key, (_, default) in plan.parameters(name).items()
    }
    assert documented == known
    assert f"| `{name}` |" in PAGE
    # These two have the same mix of labels as a shuffled stream.
    shown = "shuffled" if name in {"as-is", "delayed-labels"} else name
    assert f"results/scenarios/{shown}.svg" in PAGE
    assert shown in SCENARIOS
