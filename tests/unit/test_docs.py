"""README.md, docs/ and the other pages: links, files, commands and options exist."""

import ast
import importlib.util
import io
import re
import shlex
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args
from urllib.parse import urlsplit

import pytest
from helpers import ROOT
from pydantic_settings import BaseSettings

import benchmarks.settings
import consumer.settings
import producer.settings
from consumer.learners.config import LearnerName
from newsreel import __version__

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").glob("*.md"),
    ]
)

README = (ROOT / "README.md").read_text()

GENERATED = ("metrics", "options")
"""Pages that a script of the same name writes."""

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

SHELL = ("", "sh", "bash")

PATH = re.compile(r"^(?:\./)?(?:[\w.-]+/)+[\w.-]+\.(?:py|md|yml|yaml|toml|json|sh|svg|png)$")

MADE_BY_PROGRAMS = ("runs/", "checkpoints/")
"""Folders that exist only after a run."""

SETTINGS: dict[str, type[BaseSettings]] = {
    "producer": producer.settings.Settings,
    "consumer": consumer.settings.Settings,
    "consumer evaluate": consumer.settings.EvaluateSettings,
    "benchmarks arrivals": benchmarks.settings.ArrivalSettings,
    "benchmarks quality": benchmarks.settings.QualitySettings,
    "benchmarks replay": benchmarks.settings.ReplaySettings,
    "benchmarks scenarios": benchmarks.settings.ScenarioSettings,
    "benchmarks throughput": benchmarks.settings.ThroughputSettings,
}

PROGRAM = re.compile(
    r"(?:python -m |newsreel-)(?P<name>consumer evaluate|consumer|producer|benchmarks \w+)"
    r"(?P<arguments>(?:[^\S\n]|\\\n|[^\s|&`;])*)"
)

OLD_NAMES = (
    # Private names of the time before 0.2.0, for which the field has a term.
    *("Forecast", "Opinion", "Arrived", "Lesson", "Proposal", "Census", "Together", "Recipe"),
    *("Assembled", "Examiner", "Examination", "RiseDetector", "AtOnce", "Sender", "Tally"),
    *("SmallBodies", "Impatient", "TokenRequired", "Leash"),
    *("patiently", "bydate.py", "wheel.py"),
)

UNCLEAR = re.compile(
    r"(?<![a-z])(?:whoever|anew|told|lessons?|opinions?|forecasts?|proposals?|census|examin\w+|"
    r"assembled|recipes?|essence|emphasized|condensed?|leash|rubbish|soak|hurry)(?![a-z])|"
    r"what so|gone on\b",
    re.IGNORECASE,
)
"""Words for which the field has a term, or which make a sentence hard to read."""

FOLDERS = (
    *("benchmarks", "chaos", "consumer", "demo", "deploy", "docs", "harness", "newsreel"),
    *("producer", "tests"),
)


BARE_FRACTION = re.compile(r"(?<=[\s(])\.\d+\b(?!\w)")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=page_id)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_alive(page: Path, link: str) -> bool:
    """Return whether the target of a link exists; addresses of the web are checked by form only."""
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not parts.fragment or parts.fragment in anchors(target)


def commands() -> Iterator[tuple[str, str]]:
    """Yield each line of a fenced shell block, with continued lines joined, and its page."""
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text()):
            if language in SHELL:
                for line in block.replace("\\\n", " ").splitlines():
                    if line.strip():
                        yield page_id(page), line.strip()


def flags(settings: type[BaseSettings]) -> set[str]:
    """Return the flags of a program, with the negative forms of its switches."""
    names = {name.rstrip("_").replace("_", "-") for name in settings.model_fields}
    return {f"--{name}" for name in names} | {f"--no-{name}" for name in names} | {"--help"}


def script(name: str) -> ModuleType:
    """Import a script of docs/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_page
def test_links(page: Path) -> None:
    """Each link names an existing file, an existing heading, or a well-formed address."""
    assert [link for link in LINK.findall(prose(page)) if not is_alive(page, link)] == []


def test_the_readme_is_short() -> None:
    """A newcomer reads at most 150 lines."""
    assert len(README.splitlines()) <= 150


def test_the_readme_leads_to_each_page() -> None:
    """Each page of docs/ is linked from the README."""
    linked = {ROOT / urlsplit(link).path for link in LINK.findall(README)}
    assert set((ROOT / "docs").glob("*.md")) <= linked


@each_page
def test_named_files(page: Path) -> None:
    """A path of the repository in backticks names an existing file."""
    text = prose(page)
    if page.name == "CHANGELOG.md":  # older releases had other files
        text = text.partition("\n## [0.1.0]")[0]
    named = {
        code
        for code in re.findall(r"`([^`\s]+)`", text)
        if PATH.match(code) and not code.startswith(MADE_BY_PROGRAMS)
    }
    missing = {
        path
        for path in named - {"consumer/learners/mine.py"}
        if not (ROOT / path).exists() and not (page.parent / path).exists()
    }
    assert missing == set()


def test_make_targets() -> None:
    """Each `make` command on a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set()
    for page in PAGES:
        text = page.read_text()
        if page.name == "CHANGELOG.md":  # older releases had other targets
            text = text.partition("\n## [0.1.0]")[0].replace("`make soak`", "")
        for goals in re.findall(r"`make ((?:[a-z-]+ ?)+)`", text):
            asked |= set(goals.split())
    asked |= {
        word
        for _, line in commands()
        if (words := shlex.split(line, comments=True))[:1] == ["make"]
        for word in words[1:]
        if "=" not in word
    }
    assert {"demo", "test", "chaos", "install"} <= asked
    assert asked - targets == set()


@each_page
def test_options(page: Path) -> None:
    """Each command of our programs on a page has options that the program has."""
    unknown = set()
    for match in PROGRAM.finditer(page.read_text().replace("\\\n", " ")):
        settings = SETTINGS.get(match["name"])
        if settings is None:
            unknown.add(match["name"])
            continue
        given = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", match["arguments"]))
        unknown |= {f"{match['name']} {flag}" for flag in given - flags(settings)}
    assert unknown == set()


def test_modules() -> None:
    """Each `python -m` on a page names a module of ours, or a tool."""
    tools = {"pip", "pytest", "venv"}
    modules = {
        module for page in PAGES for module in re.findall(r"python -m ([\w.]+)", page.read_text())
    }
    missing = {module for module in modules - tools if not (ROOT / module).is_dir()}
    assert missing == set()


def test_installed_commands() -> None:
    """The commands that README names are those that an installation has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(re.findall(r"`(newsreel-\w+)`", README))
    assert named == set(project["scripts"])


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages(name: str) -> None:
    """A generated page is what its script writes."""
    written = (ROOT / "docs" / f"{name}.md").read_text()
    assert written == "\n".join(script(name).lines()) + "\n", f"run make {name}"


def test_every_option_has_a_row() -> None:
    """docs/options.md has all options of the programs, and headings of existing options only."""
    options = script("options")
    page = (ROOT / "docs" / "options.md").read_text()
    for program, settings in options.PROGRAMS.items():
        for name, field in settings.model_fields.items():
            _, variable = options.names(settings, name, field)
            assert f"| {variable} |" in page
        assert set(options.HEADINGS.get(program, {})) <= set(settings.model_fields)


def test_every_learner_has_a_row() -> None:
    """docs/learners.md describes each learner."""
    page = (ROOT / "docs" / "learners.md").read_text()
    described = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    assert described == set(get_args(LearnerName))


def test_the_floors_of_the_consumer() -> None:
    """docs/architecture.md and the import contract put each room on the same floor."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    described: dict[int, set[str]] = {}
    for floor, room in re.findall(r"^\| (\d+) \| .*?\(\.\./consumer/(\w+)", page, re.MULTILINE):
        described.setdefault(int(floor), set()).add(room)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (
        contract["layers"]
        for contract in contracts["contracts"]
        if contract.get("containers") == ["consumer"]
    )
    checked = dict(enumerate(set(layer.split(" | ")) for layer in reversed(layers)))
    assert described == checked


def test_the_changelog_has_this_version() -> None:
    """The newest dated release of the changelog is the version of the package."""
    releases = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$",
        (ROOT / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    )
    assert releases[0] == __version__


@each_page
def test_plain_words(page: Path) -> None:
    """Pages use the terms of the field; numbers below one have their zero."""
    text = prose(page)
    if page.name == "CHANGELOG.md":
        text = re.sub(r"`[^`]*`", "", text.partition("\n## [0.1.0]")[0])  # code may be old
    found = [name for name in OLD_NAMES if re.search(rf"(?<![\w.]){re.escape(name)}\b", text)]
    assert found == []
    assert UNCLEAR.findall(text) == []
    assert BARE_FRACTION.findall(text) == []


def words(module: Path) -> str:
    """Return the names, comments and docstrings of a module, with `CamelCase` split."""
    source = module.read_text()
    docstrings = [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    tokens = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type in {tokenize.NAME, tokenize.COMMENT}
    ]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", "\n".join([*docstrings, *tokens]))


@pytest.mark.parametrize("folder", FOLDERS)
def test_plain_code(folder: str) -> None:
    """Names, comments and docstrings use the same words as the pages."""
    found = {
        page_id(module): hits
        for module in sorted((ROOT / folder).rglob("*.py"))
        if (hits := UNCLEAR.findall(words(module)) + BARE_FRACTION.findall(words(module)))
    }
    assert found == {}
