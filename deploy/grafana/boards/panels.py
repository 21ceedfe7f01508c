"""Panel types in Grafana's JSON model, without positions."""

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
    """Build a query; the legend may name labels, such as ``{{label}}``."""
    return {
        "expr": expr,
        "legendFormat": legend,
        "instant": instant,
        "range": not instant,
        "format": "table" if table else "time_series",
    }


def latest(expr: str, legend: str = "") -> Json:
    """Build a query for the latest value of each series."""
    return query(expr, legend, instant=True)


def spread(histogram: str, selector: str = CONSUMER) -> tuple[Json, Json]:
    """Build queries for median and 99th percentile."""
    return (
        query(quantile(0.5, histogram, selector), "median"),
        query(quantile(0.99, histogram, selector), "99th percentile"),
    )


def steps(base: str, *above: tuple[float, str]) -> Json:
    """Build a colour scale: each colour applies from its limit upwards."""
    limits = [{"color": base, "value": None}, *({"color": c, "value": v} for v, c in above)]
    return {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": limits}}


GOOD_SHARE: Json = {**SHARE, **steps(RED, (0.5, YELLOW), (0.75, GREEN))}
"""Scale and colours of accuracy or recall."""

FORGETTING: Json = {**SHARE, **steps(GREEN, (0.05, YELLOW), (0.15, RED))}


def graph(
    title: str, description: str, *queries: Json, custom: Json | None = None, **field: Any
) -> Json:
    """Build a graph of values over time, with the latest values in the legend."""
    drawing = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never", **(custom or {})}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "calcs": ["lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, description, queries, {"custom": drawing, **field}, options)


def bars(title: str, description: str, target: Json, **field: Any) -> Json:
    """Build a bar for the latest value of each series."""
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "text",
        "showUnfilled": True,
        "minVizHeight": 12,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return _panel("bargauge", title, description, [target], field, options)


def number(title: str, description: str, target: Json, **field: Any) -> Json:
    """Build a large number, the latest value, above its history."""
    options = {
        "graphMode": "area",
        "colorMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    # By default, Grafana paints values above 80 red.
    blue = {"color": {"mode": "fixed", "fixedColor": "blue"}}
    return _panel("stat", title, description, [target], {**blue, **field}, options)


def heat_map(title: str, description: str, target: Json, **field: Any) -> Json:
    """Build a row of coloured cells for each series, with time from left to right."""
    options = {"showValue": "never", "rowHeight": 0.9, "colWidth": 1, "perPage": 25}
    cells = {"custom": {"lineWidth": 0, "fillOpacity": 80}, **field}
    # More cells would be too narrow to distinguish.
    return {
        **_panel("status-history", title, description, [target], cells, options),
        "maxDataPoints": 60,
    }


def table(title: str, description: str, row: str, columns: Mapping[str, str], **field: Any) -> Json:
    """Build a table: a column for each query, a row for each value of a label.

    ``columns`` holds the queries by heading.
    """
    queries = [query(expr, instant=True, table=True) for expr in columns.values()]
    values = [f"Value #{_letter(index)}" for index in range(len(queries))]
    tidy = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate([row, *values])},
        "renameByName": dict(zip(values, columns, strict=True)),
    }
    transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": tidy}]
    return _table(title, description, queries, transformations, field)


def matrix(title: str, description: str, expr: str, row: str, column: str, **field: Any) -> Json:
    """Build a matrix: two labels of a series are the row and column of its latest value."""
    spread = {"rowField": row, "columnField": column, "valueField": "Value"}
    transformations = [{"id": "groupingToMatrix", "options": spread}]
    return _table(
        title, description, [query(expr, instant=True, table=True)], transformations, field
    )


def facts(title: str, description: str, expr: str, labels: Sequence[str]) -> Json:
    """Build a table of labels, one row for each series."""
    shown = {"include": {"names": list(labels)}}
    transformations = [
        {"id": "filterFieldsByName", "options": shown},
        {
            "id": "organize",
            "options": {"indexByName": {name: at for at, name in enumerate(labels)}},
        },
    ]
    return _table(title, description, [query(expr, instant=True, table=True)], transformations, {})


def _table(
    title: str,
    description: str,
    queries: Sequence[Json],
    transformations: Sequence[Json],
    field: Json,
) -> Json:
    cells = {"custom": {"cellOptions": {"type": "color-text"}}, **field}
    panel = _panel("table", title, description, queries, cells, {"showHeader": True})
    return {**panel, "transformations": list(transformations)}


def _panel(
    kind: str, title: str, description: str, queries: Sequence[Json], field: Json, options: Json
) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATA_SOURCE,
        "targets": [
            {"refId": _letter(index), "datasource": DATA_SOURCE, **target}
            for index, target in enumerate(queries)
        ],
        "fieldConfig": {"defaults": field, "overrides": []},
        "options": options,
    }


def _letter(index: int) -> str:
    return chr(ord("A") + index)
