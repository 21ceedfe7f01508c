"""A board: panels with positions, and the parts that all boards share."""

from collections.abc import Iterable

from boards.panels import DATA_SOURCE, Json
from boards.promql import CONSUMER, WHOLE_STREAM

PanelRow = tuple[int, list[tuple[int, Json]]]
"""Height of a row, and its panels with their widths in 24ths of the page."""

Section = tuple[str, list[PanelRow]]
"""Heading, and the rows below it."""

TAG = "newsreel"


def build(name: str, title: str, description: str, sections: Iterable[Section]) -> Json:
    """Build a board in Grafana's JSON model."""
    return {
        "uid": f"newsreel-{name}",
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": 42,
        "editable": False,
        "graphTooltip": 1,
        "time": {"from": "now-30m", "to": "now"},
        "refresh": "5s",
        "links": [_to_other_boards()],
        "templating": {"list": _variables()},
        "annotations": {"list": _annotations()},
        "panels": _lay_out(sections),
    }


def _to_other_boards() -> Json:
    return {
        "type": "dashboards",
        "title": "newsreel",
        "icon": "dashboard",
        "tooltip": "The other boards, with the same data source and time",
        "tags": [TAG],
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }


def _variables() -> list[Json]:
    """Let the reader choose the data source and the jobs."""
    source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }
    jobs = [
        {
            "name": name,
            "label": label,
            "description": f"Prometheus job of the {name}.",
            "type": "query",
            "datasource": DATA_SOURCE,
            "query": {"query": f"label_values({metric}, job)", "refId": name},
            "refresh": 2,  # when the time range changes
            "sort": 1,
        }
        for name, label, metric in (
            ("consumer", "Consumer", "newsreel_active"),
            ("evaluator", "Evaluator", "newsreel_evaluator_build_info"),
            ("producer", "Producer", "newsreel_producer_documents_total"),
        )
    ]
    return [source, *jobs]


def _annotations() -> list[Json]:
    """Build the marks that all graphs show."""

    def mark(name: str, color: str, expr: str, text: str, **more: bool) -> Json:
        return {
            "name": name,
            "datasource": DATA_SOURCE,
            "iconColor": color,
            "expr": expr,
            "titleFormat": text,
            "enable": True,
            **more,
        }

    return [
        mark(
            "Restarts",
            "purple",
            'process_start_time_seconds{job=~"$consumer|$evaluator"} * 1000',
            "{{instance}} started",
            useValueForTime=True,
        ),
        mark(
            "Takeovers",
            "orange",
            f"newsreel_active{CONSUMER} == 1 unless newsreel_active{CONSUMER} offset 1m == 1",
            "{{instance}} learns",
        ),
        mark(
            "Alerts",
            "red",
            'ALERTS{alertname=~"Newsreel.+", alertstate="firing"}',
            "{{alertname}}",
        ),
        mark(
            "Changes",
            "green",
            f'newsreel_producer_change_timestamp_seconds{{job="$producer", {WHOLE_STREAM}}} * 1000',
            "the stream changes: {{scenario}}, {{what}}",
            useValueForTime=True,
        ),
        mark(
            "Drifts",
            "yellow",
            f"newsreel_drifts_total{CONSUMER} > newsreel_drifts_total{CONSUMER} offset 15s",
            "drift detected: {{detector}}",
        ),
        mark(
            "Checkpoints",
            "blue",
            f"(newsreel_checkpoint_timestamp_seconds{CONSUMER} > 0) * 1000",
            "checkpoint committed",
            useValueForTime=True,
            enable=False,
        ),
    ]


def _lay_out(sections: Iterable[Section]) -> list[Json]:
    """Place rows of panels below their headings, from top to bottom."""
    placed: list[Json] = []
    top = 0

    def put(height: int, panels: Iterable[tuple[int, Json]]) -> None:
        nonlocal top
        left = 0
        for width, panel in panels:
            place = {"x": left, "y": top, "w": width, "h": height}
            placed.append({"id": len(placed) + 1, "gridPos": place, **panel})
            left += width
        top += height

    for heading, rows in sections:
        put(1, [(24, {"type": "row", "title": heading, "collapsed": False, "panels": []})])
        for row in rows:
            put(*row)
    return placed
