#!/usr/bin/env python3
"""The Grafana dashboard as code: run this file to write ``dashboards/newsreel.json``."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Row = tuple[int, list[tuple[int, Json]]]
"""Height, and panels with their widths in 24ths of the page."""

FILE = Path(__file__).parent / "dashboards" / "newsreel.json"
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED = "green", "yellow", "red"


def query(expr: str, legend: str, *, instant: bool = False) -> Json:
    """Ask Prometheus; the legend may name labels, as in ``{{label}}``."""
    return {"expr": expr, "legendFormat": legend, "instant": instant, "range": not instant}


def panel(
    kind: str, title: str, description: str, queries: Sequence[Json], field: Json, options: Json
) -> Json:
    """Build a panel; its place and number come with the layout."""
    targets = [
        {"refId": chr(ord("A") + index), "datasource": DATA_SOURCE, **target}
        for index, target in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATA_SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": field, "overrides": []},
        "options": options,
    }


def graph(
    title: str,
    description: str,
    *queries: Json,
    custom: Json | None = None,
    **field: Any,
) -> Json:
    """Show values over time, with the latest of each in the legend."""
    drawing = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never", **(custom or {})}
    return panel(
        "timeseries",
        title,
        description,
        queries,
        {"custom": drawing, **field},
        {
            "legend": {"displayMode": "list", "placement": "bottom", "calcs": ["lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


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
    return panel("bargauge", title, description, [of], field, options)


def number(title: str, description: str, of: Json, **field: Any) -> Json:
    """Show the latest value, large, over its history."""
    options = {
        "graphMode": "area",
        "colorMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    # Unless told otherwise, Grafana paints what is above 80 red.
    blue = {"color": {"mode": "fixed", "fixedColor": "blue"}}
    return panel("stat", title, description, [of], {**blue, **field}, options)


def steps(base: str, *above: tuple[float, str]) -> Json:
    """Colour values from each limit up."""
    limits = [{"color": base, "value": None}, *({"color": c, "value": v} for v, c in above)]
    return {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": limits}}


SHARE: Json = {"unit": "percentunit", "min": 0, "max": 1}
STACKED = {"stacking": {"mode": "normal"}, "fillOpacity": 40, "lineWidth": 1}
LOGARITHMIC = {"scaleDistribution": {"type": "log", "log": 10}}
PER_SECOND = "[$__rate_interval]"


def quality() -> list[Row]:
    """Show how well the model predicts what it has not learned yet, and whether it keeps up."""
    accuracy = graph(
        "Prequential accuracy",
        "Share of documents whose label was predicted right before they were learned: of the last"
        " 1000, of all with older ones fading (half is gone after 346), and of the whole stream."
        " A fall of the first two while the third holds means that the stream has changed.",
        query('newsreel_prequential_accuracy{window="last_1000"}', "last 1000"),
        query('newsreel_prequential_accuracy{window="fading"}', "fading"),
        query('newsreel_prequential_accuracy{window="whole"}', "whole stream"),
        **SHARE,
    )
    speed = graph(
        "Documents per second",
        "Documents predicted, labelled or not, beside those that the producer publishes. The"
        " consumer keeps up where its line meets the producer's.",
        query(f"sum(rate(newsreel_documents_total{PER_SECOND}))", "predicted"),
        query(f"sum(rate(newsreel_producer_documents_total{PER_SECOND}))", "published"),
        unit="suffix:/s",
        min=0,
    )
    lag = graph(
        "Lag",
        "Documents that wait in the topic, by partition. It rises while documents arrive faster"
        " than they are learned; nothing is lost.",
        query("sum by (partition) (newsreel_consumer_lag_documents)", "partition {{partition}}"),
        custom=STACKED,
        unit="short",
        decimals=0,
        min=0,
    )
    recall = bars(
        "Recall by label, worst first",
        "Share of each label's documents among the last 1000 that were predicted right. A label"
        " stays at the bottom of the scale while it is new, or is forgotten.",
        query("sort(newsreel_prequential_recall)", "{{label}}", instant=True),
        **SHARE,
        **steps(RED, (0.5, YELLOW), (0.75, GREEN)),
    )
    balance = graph(
        "Macro-F1 and kappa",
        "Over the last 1000 documents. Macro-F1 counts every label alike, however rare; Cohen's"
        " kappa takes off what guessing would get. Well below the accuracy, they say that frequent"
        " labels hide rare ones.",
        query('newsreel_prequential_macro_f1{window="last_1000"}', "macro-F1"),
        query('newsreel_prequential_kappa{window="last_1000"}', "kappa"),
        decimals=2,
        max=1,
    )
    loss = graph(
        "Loss",
        "Cross-entropy in nats: of predictions over the last 1000 documents, and of the last"
        " learning step, whose documents are half replayed ones. A wide gap means that the model"
        " remembers what it has seen better than it understands what comes.",
        query('newsreel_prequential_log_loss{window="last_1000"}', "of predictions"),
        query("newsreel_loss", "of the last learning step"),
        unit="suffix:nats",
        min=0,
    )
    return [
        (10, [(12, accuracy), (6, speed), (6, lag)]),
        (12, [(12, recall), (6, balance), (6, loss)]),
    ]


def learning() -> list[Row]:
    """Show what the model learns from."""
    mixture = graph(
        "Learned per second",
        "New documents, and older ones that the replay buffer adds so that they are not forgotten.",
        query(f"sum(rate(newsreel_learned_documents_total{PER_SECOND}))", "new"),
        query(f"sum(rate(newsreel_replayed_documents_total{PER_SECOND}))", "replayed"),
        custom=STACKED,
        unit="suffix:/s",
        min=0,
    )
    labels = number(
        "Labels",
        "Labels discovered in the stream so far.",
        query("newsreel_labels", "labels"),
        unit="short",
    )
    buffer = number(
        "Replay buffer",
        "Documents kept for replay.",
        query("newsreel_replay_buffer_documents", "documents"),
        unit="short",
    )
    checkpoints = number(
        "Checkpoints",
        "Checkpoints written and committed since the consumer started. After a crash, it goes on"
        " from the last one.",
        query("newsreel_checkpoints_total", "checkpoints"),
        unit="short",
    )
    dead_letters = bars(
        "Dead letters",
        "Records since the consumer started that could not be used, by reason. They are in the"
        " dead-letter topic, with the details in their headers.",
        query("sum by (reason) (newsreel_dead_letters_total)", "{{reason}}", instant=True),
        unit="short",
        min=0,
        noValue="none",
        **steps(GREEN, (1, RED)),
    )
    experts = graph(
        "Experts: accuracy",
        "Each part of the blend by itself, over the last 1000 documents, and the blend. If the"
        " transformer (latent) adds nothing, the blend is no better than the best of the others.",
        query("newsreel_expert_accuracy", "{{expert}}"),
        query('newsreel_prequential_accuracy{window="last_1000"}', "blend"),
        **SHARE,
    )
    shares = graph(
        "Experts: share",
        "How much each part weighs in the blend, learned from how well it predicted so far.",
        query("newsreel_expert_share", "{{expert}}"),
        custom=STACKED,
        **SHARE,
    )
    return [
        (4, [(8, labels), (8, buffer), (8, checkpoints)]),
        (8, [(12, experts), (12, shares)]),
        (8, [(12, mixture), (12, dead_letters)]),
    ]


def machine() -> list[Row]:
    """Show where the time goes, and what the consumer takes of its machine."""
    time = graph(
        "Where the time goes",
        "Share of each second spent in a stage of the loop. Much of it in fetch: the consumer"
        " waits for documents. Almost none: it is at its limit, and the lag grows. Of a checkpoint"
        " only the copy of the state stops the loop.",
        query(f"sum by (stage) (rate(newsreel_stage_seconds_sum{PER_SECOND}))", "{{stage}}"),
        custom=STACKED,
        **SHARE,
    )
    # A checkpoint is rare: five minutes, so that there are some to take a percentile of.
    buckets = "sum by (le, stage) (rate(newsreel_stage_seconds_bucket[5m]))"
    median, tail = (
        graph(
            f"Stage time, {name}",
            f"{name.capitalize()} of the time a stage takes in one step, over five minutes.",
            query(f"histogram_quantile({quantile}, {buckets})", "{{stage}}"),
            custom=LOGARITHMIC,
            unit="s",
        )
        for name, quantile in (("median", 0.5), ("99th percentile", 0.99))
    )
    cores = graph(
        "Processor",
        "Cores that the consumer keeps busy.",
        query(f'rate(process_cpu_seconds_total{{job="consumer"}}{PER_SECOND})', "cores"),
        unit="short",
        min=0,
    )
    memory = graph(
        "Memory",
        "Memory that the consumer holds. It levels off when the replay buffer is full.",
        query('process_resident_memory_bytes{job="consumer"}', "resident"),
        unit="bytes",
        min=0,
    )
    return [
        (8, [(8, time), (8, median), (8, tail)]),
        (8, [(12, cores), (12, memory)]),
    ]


def lay_out(sections: Iterable[tuple[str, list[Row]]]) -> list[Json]:
    """Put rows of panels under their headings, from the top down."""
    placed: list[Json] = []
    top = 0

    def put(height: int, panels: Iterable[tuple[int, Json]]) -> None:
        nonlocal top
        left = 0
        for width, what in panels:
            place = {"x": left, "y": top, "w": width, "h": height}
            placed.append({"id": len(placed) + 1, "gridPos": place, **what})
            left += width
        top += height

    for heading, rows in sections:
        put(1, [(24, {"type": "row", "title": heading, "collapsed": False})])
        for row in rows:
            put(*row)
    return placed


def build() -> Json:
    """Build the dashboard in Grafana's JSON model."""
    data_source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }
    return {
        "uid": "newsreel",
        "title": "newsreel",
        "description": "How well, how fast and how far behind a model learns from a Kafka topic.",
        "tags": ["newsreel"],
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "time": {"from": "now-30m", "to": "now"},
        "refresh": "5s",
        "templating": {"list": [data_source]},
        "panels": lay_out(
            [
                ("Quality and pace", quality()),
                ("Learning", learning()),
                ("Machine", machine()),
            ]
        ),
    }


def render() -> str:
    """Return the dashboard as it is committed."""
    return json.dumps(build(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(render())
