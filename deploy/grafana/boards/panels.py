"""Kinds of panels in Grafana's JSON model, each without its place."""

from collections.abc import Mapping, Sequence
from typing import Any

from boards.promql import CONSUMER, quantile

Json = dict[str, Any]

DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

GREEN, YELLOW, RED = "green", "yellow", "red"

SHARE: Json = {"unit": "percentunit", "min": 0, "max": 1}

STACKED: Json = {"stacking": {"mode": "normal"}, "fillOpacity": 40, "lineWidth": 1}

LOGARITHMIC: Json = {"scaleDistribution": {"type": "log", "log": 10}}


def query(expr: str, legend: str = "", *, instant: bool = False, table: bool = False) -> Json:
    """Ask Prometheus; the legend may name labels, as in ``{{label}}``."""
    return {
        "expr": expr,
        "legendFormat": legend,
        "instant": instant,
        "range": not instant,
        "format": "table" if table else "time_series",
    }


def latest(expr: str, legend: str = "") -> Json:
    """Ask Prometheus for one value of each series."""
    return query(expr, legend, instant=True)


def spread(histogram: str, of: str = CONSUMER) -> tuple[Json, Json]:
    """Ask for median and 99th percentile."""
    return (
        query(quantile(0.5, histogram, of), "median"),
        query(quantile(0.99, histogram, of), "99th percentile"),
    )


def steps(base: str, *above: tuple[float, str]) -> Json:
    """Colour values from each limit up."""
    limits = [{"color": base, "value": None}, *({"color": c, "value": v} for v, c in above)]
    return {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": limits}}


GOOD_SHARE: Json = {**SHARE, **steps(RED, (0.5, YELLOW), (0.75, GREEN))}
"""Accuracy or recall, coloured."""

FORGETTING: Json = {**SHARE, **steps(GREEN, (0.05, YELLOW), (0.15, RED))}


def graph(
    title: str, description: str, *queries: Json, custom: Json | None = None, **field: Any
) -> Json:
    """Show values over time, with the latest of each in the legend."""
    drawing = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never", **(custom or {})}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "calcs": ["lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, description, queries, {"custom": drawing, **field}, options)


def bars(title: str, description: str, of: Json, **field: Any) -> Json:
    """Show the latest value of each series as a bar."""
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "text",
        "showUnfilled": True,
        "minVizHeight": 12,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return _panel("bargauge", title, description, [of], field, options)


def number(title: str, description: str, of: Json, **field: Any) -> Json:
    """Show the latest value, large, over its history."""
    options = {
        "graphMode": "area",
        "colorMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    # Unless told otherwise, Grafana paints what is above 80 red.
    blue = {"color": {"mode": "fixed", "fixedColor": "blue"}}
    return _panel("stat", title, description, [of], {**blue, **field}, options)


def heat_map(title: str, description: str, of: Json, **field: Any) -> Json:
    """Show a row of coloured cells for each series, from left to right in time."""
    options = {"showValue": "never", "rowHeight": 0.9, "colWidth": 1, "perPage": 25}
    cells = {"custom": {"lineWidth": 0, "fillOpacity": 80}, **field}
    # More cells than that are too narrow to be told apart.
    return {
        **_panel("status-history", title, description, [of], cells, options),
        "maxDataPoints": 60,
    }


def table(title: str, description: str, row: str, columns: Mapping[str, str], **field: Any) -> Json:
    """Show the latest value of several queries side by side, a row for each value of a label.

    ``columns`` are the queries by their heading.
    """
    queries = [query(expr, instant=True, table=True) for expr in columns.values()]
    values = [f"Value #{_letter(index)}" for index in range(len(queries))]
    tidy = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate([row, *values])},
        "renameByName": dict(zip(values, columns, strict=True)),
    }
    changes = [{"id": "merge", "options": {}}, {"id": "organize", "options": tidy}]
    return _table(title, description, queries, changes, field)


def matrix(title: str, description: str, of: str, row: str, column: str, **field: Any) -> Json:
    """Show the latest value of each series in the row and column that two of its labels name."""
    spread = {"rowField": row, "columnField": column, "valueField": "Value"}
    changes = [{"id": "groupingToMatrix", "options": spread}]
    return _table(title, description, [query(of, instant=True, table=True)], changes, field)


def facts(title: str, description: str, of: str, labels: Sequence[str]) -> Json:
    """Show labels of each series, a row for each."""
    shown = {"include": {"names": list(labels)}}
    changes = [
        {"id": "filterFieldsByName", "options": shown},
        {
            "id": "organize",
            "options": {"indexByName": {name: at for at, name in enumerate(labels)}},
        },
    ]
    return _table(title, description, [query(of, instant=True, table=True)], changes, {})


def _table(
    title: str, description: str, queries: Sequence[Json], changes: Sequence[Json], field: Json
) -> Json:
    cells = {"custom": {"cellOptions": {"type": "color-text"}}, **field}
    panel = _panel("table", title, description, queries, cells, {"showHeader": True})
    return {**panel, "transformations": list(changes)}


def _panel(
    kind: str, title: str, description: str, queries: Sequence[Json], field: Json, options: Json
) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATA_SOURCE,
        "targets": [
            {"refId": _letter(index), "datasource": DATA_SOURCE, **asked}
            for index, asked in enumerate(queries)
        ],
        "fieldConfig": {"defaults": field, "overrides": []},
        "options": options,
    }


def _letter(index: int) -> str:
    return chr(ord("A") + index)
