"""constraints.txt pins the versions that are installed and audited."""

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
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in LINES)
}

NOT_INSTALLED = {"kerberos"}
"""Extras that tests don't install: gssapi compiles against the Kerberos libraries of the system."""

EXTRAS = [
    group for extra, group in PROJECT["optional-dependencies"].items() if extra not in NOT_INSTALLED
]

REQUIREMENTS = [
    requirement
    for group in [PROJECT["dependencies"], *EXTRAS]
    for requirement in map(Requirement, group)
    if requirement.name != PROJECT["name"]
]


def test_each_line_pins_a_release() -> None:
    """Each line is name==version: no folder, no address and no local version."""
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in LINES)
    assert len(PINS) == len(LINES)
    assert PROJECT["name"] not in PINS


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_direct_dependencies(requirement: Requirement) -> None:
    """Each requirement of pyproject.toml is pinned to a version that it allows."""
    version = PINS[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_indirect_dependencies() -> None:
    """The requirements of pinned packages are pinned, too."""
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
    # torch for GPUs requires exact versions of its libraries.
    assert {
        name for name in seen - set(PINS) if not re.match(r"nvidia-|cuda-|triton", name)
    } == set()


def test_installation_uses_the_constraints() -> None:
    """`make install` applies the constraints, and runs again when they change."""
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^\$\(INSTALLED\): .*\bconstraints\.txt$", makefile, re.MULTILINE)
    assert "--constraint constraints.txt --editable" in makefile
