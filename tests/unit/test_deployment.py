"""The dashboard fits the metrics that it shows."""

import os
import re
import runpy
from pathlib import Path

from prometheus_client import CollectorRegistry

from consumer.metrics.learning import Metrics
from producer.metrics import TallyCollector
from producer.publisher import Tally

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARD = runpy.run_path(str(GRAFANA / "dashboards.py"))
PANELS = [panel for panel in DASHBOARD["build"]()["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_committed_dashboard_is_what_the_module_builds() -> None:
    """Nobody edits the JSON by hand, or forgets to write it anew."""
    written = DASHBOARD["FILE"].read_text()
    assert written == DASHBOARD["render"](), "run deploy/grafana/dashboards.py"


def metric_names() -> set[str]:
    """Return the names of everything that consumer and producer export, as Prometheus stores it."""
    registry = CollectorRegistry()
    Metrics(registry).began(Path(os.devnull), None)
    registry.register(TallyCollector(Tally()))
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    return {
        family.name + suffix
        for family in registry.collect()
        for suffix in suffixes.get(family.type, [""])
    }


def test_dashboard_asks_for_metrics_that_exist() -> None:
    """A metric that is renamed must not leave an empty panel behind."""
    asked = {name for expr in QUERIES for name in re.findall(r"\bnewsreel_\w+", expr)}
    assert len(asked) > 10
    assert asked <= metric_names()


def test_panels_explain_themselves() -> None:
    """Each panel says what it shows, and asks the data source that the reader has chosen."""
    assert all(panel["description"] for panel in PANELS)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)


def test_panels_do_not_overlap() -> None:
    """No two panels share a cell of the page's grid, 24 columns wide."""
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        taken = {(column, row) for column in columns for row in rows}
        assert not taken & cells
        assert columns.stop <= 24
        cells |= taken
