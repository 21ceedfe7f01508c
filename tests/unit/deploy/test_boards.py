"""Boards and alerts fit the metrics that there are, and leave none out."""

import json
import re
from typing import Any

import pytest
import yaml
from helpers import ROOT
from prometheus_client import Metric

from boards import __main__ as boards
from consumer.monitoring.definitions import HELD_OUT, LEARNING
from producer.metrics import PublishCollector
from producer.publisher import PublishCounts

BOARDS = {file.stem: board for file, board in boards.build().items()}

PANELS = [
    (name, panel)
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]

RULES = yaml.safe_load((ROOT / "deploy/prometheus/rules/newsreel.yml").read_text())["groups"]

ALERTS = [rule for group in RULES for rule in group["rules"] if "alert" in rule]

EXPRESSIONS = [
    *(target["expr"] for _, panel in PANELS for target in panel["targets"]),
    *(note["expr"] for board in BOARDS.values() for note in board["annotations"]["list"]),
    *(rule["expr"] for group in RULES for rule in group["rules"]),
]


def named(family: Metric) -> str:
    """Return what Prometheus calls a metric of the producer."""
    return family.name + ("_total" if family.type == "counter" else "")


SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}

EXPORTED = {
    one.exported: {one.exported + suffix for suffix in SUFFIXES.get(one.kind, ("",))}
    for one in (*LEARNING, *HELD_OUT)
} | {name: {name} for name in map(named, PublishCollector(PublishCounts()).collect())}
"""Names that Prometheus knows of each metric."""


def asked() -> set[str]:
    """Name the metrics that any panel or rule asks for."""
    return {name for expr in EXPRESSIONS for name in re.findall(r"\bnewsreel_\w+", expr)}


@pytest.mark.parametrize("name", BOARDS)
def test_committed_boards_are_what_the_code_builds(name: str) -> None:
    """Nobody edits the JSON by hand, or forgets to write it anew."""
    written = (ROOT / "deploy/grafana/dashboards" / f"{name}.json").read_text()
    assert written == boards.render(BOARDS[name]), "run make dashboards"
    assert json.loads(written)["uid"] == f"newsreel-{name}"


def test_only_metrics_that_exist_are_asked_for() -> None:
    """A metric that is renamed must not leave an empty panel or a dead alert behind."""
    assert asked() - {name for names in EXPORTED.values() for name in names} == set()


def test_every_metric_is_shown() -> None:
    """What is exported is on a board or in an alert."""
    hidden = {name for name, names in EXPORTED.items() if not names & asked()}
    assert hidden == set()


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=lambda it: str(it)[:20])
def test_panels_explain_themselves(board: str, panel: dict[str, Any]) -> None:
    """Each panel says what it shows, has a scale, and asks the data source that was chosen."""
    assert len(panel["description"]) > 20
    assert panel["datasource"]["uid"] == "${datasource}"
    if panel["type"] != "table":
        # What has no unit, as kappa, has at least a range or a number of decimals.
        assert panel["fieldConfig"]["defaults"].keys() & {"unit", "decimals", "min"}


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_a_place_of_their_own(name: str) -> None:
    """No two panels share a cell of the page's grid, 24 columns wide, or a number."""
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in BOARDS[name]["panels"]):
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        taken = {(column, row) for column in columns for row in rows}
        assert not taken & cells
        assert columns.stop <= 24
        cells |= taken
    numbers = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_alerts_say_what_to_do(rule: dict[str, Any]) -> None:
    """Each has a severity, a summary, and a place in the runbook."""
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    anchor = rule["alert"].lower()
    assert rule["annotations"]["runbook"].endswith(f": docs/runbook.md#{anchor}")
    assert f"\n## {rule['alert']}\n" in (ROOT / "docs/runbook.md").read_text()


def test_each_alert_is_shown_to_fire() -> None:
    """The unit tests of the rules have a case in which each fires."""
    tests = (ROOT / "deploy/prometheus/tests/newsreel.yml").read_text()
    assert {rule["alert"] for rule in ALERTS} == set(re.findall(r'alertname="(\w+)"', tests))
