"""PromQL expressions that several panels share, over all instances of a job."""

CONSUMER = '{job="$consumer"}'

EVALUATOR = '{job="$evaluator"}'

WHOLE_STREAM = 'what!="wrong label"'
"""Selects changes of the whole stream, not of one document."""

PRODUCER = '{job="$producer"}'

RECENT = '{job="$consumer", window="last_1000"}'

ALL = '{job=~"$consumer|$evaluator|$producer"}'


def per_second(counter: str, selector: str = CONSUMER, *by: str) -> str:
    """Return the rate of a counter, by labels."""
    return f"sum{_by(by)}(rate({counter}{selector}[$__rate_interval]))"


def in_five_minutes(counter: str, selector: str = CONSUMER) -> str:
    """Return the increase of a rare counter."""
    return f"sum(increase({counter}{selector}[5m]))"


def quantile(share: float, histogram: str, selector: str = CONSUMER, *by: str) -> str:
    """Return a quantile of a histogram over five minutes, so that it has enough values."""
    buckets = f"sum{_by(('le', *by))}(rate({histogram}_bucket{selector}[5m]))"
    return f"histogram_quantile({share}, {buckets})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
