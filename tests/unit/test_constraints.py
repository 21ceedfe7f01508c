"""constraints.txt: the versions that are installed, and audited."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

LINES = (ROOT / "constraints.txt").read_text().splitlines()

PINS = {
    canonicalize_name(name): version for name, _, version in (it.partition("==") for it in LINES)
}

REQUIREMENTS = [
    requirement
    for group in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in map(Requirement, group)
    if requirement.name != PROJECT["name"]
]


def test_each_line_is_one_version_of_a_release() -> None:
    """Nothing but name==version: no folder, no address, no local version of one machine."""
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in LINES)
    assert len(PINS) == len(LINES)
    assert PROJECT["name"] not in PINS


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_direct_dependencies(requirement: Requirement) -> None:
    """What pyproject.toml asks for has a version here, one that it allows."""
    version = PINS[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_indirect_dependencies() -> None:
    """So has what those ask for here, and so on: an installation leaves nothing to chance."""
    waiting, seen = [requirement.name for requirement in REQUIREMENTS], set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    # torch for GPUs brings libraries along whose versions it fixes itself.
    assert {
        name for name in seen - set(PINS) if not re.match(r"nvidia-|cuda-|triton", name)
    } == set()


def test_they_are_installed_by_everyone() -> None:
    """`make install` obeys them, and does its work anew when they change."""
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^\$\(INSTALLED\): .*\bconstraints\.txt$", makefile, re.MULTILINE)
    assert "--constraint constraints.txt --editable" in makefile
