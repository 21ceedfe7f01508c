"""Numbers at the top of more than one board."""

from boards.panels import GREEN, RED, YELLOW, Json, number, query, steps
from boards.promql import CONSUMER

BEHIND = (
    f"sum(newsreel_consumer_lag_documents{CONSUMER})"
    f" / clamp_min(sum(rate(newsreel_documents_total{CONSUMER}[1m])), 1)"
)
"""Seconds to process the waiting documents, at one document a second or more."""


def behind() -> Json:
    """Build the panel that shows how far the consumer is behind."""
    return number(
        "Behind",
        "Time to process the waiting documents at the present rate, if no others arrived. The"
        " consumer keeps up while this value stays near zero.",
        query(BEHIND, "behind"),
        unit="s",
        min=0,
        decimals=0,
        **steps(GREEN, (30, YELLOW), (300, RED)),
    )


def alerts() -> Json:
    """Build the panel that counts firing alerts."""
    return number(
        "Alerts",
        "Alerts that fire now. Alertmanager lists them, and docs/runbook.md says what to do.",
        query('count(ALERTS{alertname=~"Newsreel.+", alertstate="firing"}) or vector(0)', "firing"),
        unit="short",
        **steps(GREEN, (1, RED)),
    )
