"""Expressions that several panels ask for: over all instances of a job, whoever of them learns."""

CONSUMER = '{job="$consumer"}'

EVALUATOR = '{job="$evaluator"}'

TOLD = 'what!="wrong label"'
"""Changes of the whole stream, and not of one document."""

PRODUCER = '{job="$producer"}'

RECENT = '{job="$consumer", window="last_1000"}'

ALL = '{job=~"$consumer|$evaluator|$producer"}'


def per_second(counter: str, of: str = CONSUMER, *by: str) -> str:
    """Rate of a counter, for each value of some labels."""
    return f"sum{_by(by)}(rate({counter}{of}[$__rate_interval]))"


def in_five_minutes(counter: str, of: str = CONSUMER) -> str:
    """Increase of a counter that seldom moves."""
    return f"sum(increase({counter}{of}[5m]))"


def quantile(share: float, histogram: str, of: str = CONSUMER, *by: str) -> str:
    """Quantile of a histogram over five minutes, so that there are some to take it of."""
    buckets = f"sum{_by(('le', *by))}(rate({histogram}_bucket{of}[5m]))"
    return f"histogram_quantile({share}, {buckets})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
