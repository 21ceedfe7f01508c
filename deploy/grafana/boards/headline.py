"""Numbers that more than one board begins with."""

from boards.panels import GREEN, RED, YELLOW, Json, number, query, steps
from boards.promql import CONSUMER

BEHIND = (
    f"sum(newsreel_consumer_lag_documents{CONSUMER})"
    f" / clamp_min(sum(rate(newsreel_documents_total{CONSUMER}[1m])), 1)"
)
"""Seconds that what waits would take if nothing else came, at one document a second or more."""


def behind() -> Json:
    """Say whether the consumer keeps up; two boards begin with it."""
    return number(
        "Behind",
        "How long the documents that wait would take at the present pace, if no others came. It"
        " keeps up while this stays near zero.",
        query(BEHIND, "behind"),
        unit="s",
        min=0,
        decimals=0,
        **steps(GREEN, (30, YELLOW), (300, RED)),
    )


def alerts() -> Json:
    """Count what is wrong; two boards begin with it."""
    return number(
        "Alerts",
        "Alerts that fire now; Alertmanager lists them, and docs/runbook.md says what to do.",
        query('count(ALERTS{alertname=~"Newsreel.+", alertstate="firing"}) or vector(0)', "firing"),
        unit="short",
        **steps(GREEN, (1, RED)),
    )
