"""Boards and alerts query existing metrics, and every metric is on a board or in an alert."""

import json
import re
from typing import Any

import pytest
import yaml
from helpers import ROOT
from prometheus_client import Metric

from boards import __main__ as boards
from consumer.monitoring.heldout_definitions import HELD_OUT
from consumer.monitoring.learning_definitions import LEARNING
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


def exported_name(family: Metric) -> str:
    """Return the exported name of a metric of the producer."""
    return family.name + ("_total" if family.type == "counter" else "")


SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}

EXPORTED = {
    metric.exported: {metric.exported + suffix for suffix in SUFFIXES.get(metric.kind, ("",))}
    for metric in (*LEARNING, *HELD_OUT)
} | {name: {name} for name in map(exported_name, PublishCollector(PublishCounts()).collect())}
"""Series names of each metric, by its exported name."""


def queried() -> set[str]:
    """Return the metrics that any panel or rule queries."""
    return {name for expr in EXPRESSIONS for name in re.findall(r"\bnewsreel_\w+", expr)}


@pytest.mark.parametrize("name", BOARDS)
def test_committed_boards_are_generated(name: str) -> None:
    """The committed JSON is what `make dashboards` writes."""
    written = (ROOT / "deploy/grafana/dashboards" / f"{name}.json").read_text()
    assert written == boards.render(BOARDS[name]), "run make dashboards"
    assert json.loads(written)["uid"] == f"newsreel-{name}"


def test_queries_name_existing_metrics() -> None:
    """No panel and no alert queries a metric that is not exported."""
    assert queried() - {name for names in EXPORTED.values() for name in names} == set()


def test_every_metric_is_shown() -> None:
    """Each exported metric is on a board or in an alert."""
    hidden = {name for name, names in EXPORTED.items() if not names & queried()}
    assert hidden == set()


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=lambda value: str(value)[:20])
def test_panels_are_described(board: str, panel: dict[str, Any]) -> None:
    """Each panel has a description, a scale, and the data source that the reader chose."""
    assert len(panel["description"]) > 20
    assert panel["datasource"]["uid"] == "${datasource}"
    if panel["type"] != "table":
        # A value without a unit, such as kappa, has a range or a number of decimals.
        assert panel["fieldConfig"]["defaults"].keys() & {"unit", "decimals", "min"}


@pytest.mark.parametrize("name", BOARDS)
def test_panels_do_not_overlap(name: str) -> None:
    """No two panels share a cell of the page's grid (24 columns wide) or an id."""
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in BOARDS[name]["panels"]):
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        covered = {(column, row) for column in columns for row in rows}
        assert not covered & cells
        assert columns.stop <= 24
        cells |= covered
    numbers = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_alerts_are_in_the_runbook(rule: dict[str, Any]) -> None:
    """Each alert has a severity, a summary, and a section of the runbook."""
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    anchor = rule["alert"].lower()
    assert rule["annotations"]["runbook"].endswith(f": docs/runbook.md#{anchor}")
    assert f"\n## {rule['alert']}\n" in (ROOT / "docs/runbook.md").read_text()


def test_each_alert_fires_in_a_test() -> None:
    """The unit tests of the rules have a case for each alert in which it fires."""
    tests = (ROOT / "deploy/prometheus/tests/newsreel.yml").read_text()
    assert {rule["alert"] for rule in ALERTS} == set(re.findall(r'alertname="(\w+)"', tests))
