"""What was found of arrivals, as tables for people."""

from collections.abc import Mapping
from typing import Any

RATES = """\
Each document is predicted the moment it arrives, by the model as it is then, and learned when its
turn comes; the stream does not wait (Ghunaim et al. 2023, where documents that can't be learned in
time are passed over: here they wait). What has not had its turn when the last one arrives was not
learned in time. Predictions cost nothing here. Time is counted: a step takes as long as such steps
took when they were timed. Capacity is what is learned in a second with all replay.
"""

OVERLOAD = """\
A consumer with default settings first learns {first:,} documents of a topic that is there already;
what it learns in a second is sustainable. Then another gets {times:g} times as much from a
producer, for {seconds:.0f} s, and goes on until nothing waits. Both compute with {threads} of
{cores} cores; broker and producer have the rest. The corpus comes again and again, in another order
each time: the accuracy on "all" is on texts that were seen before, too. A document that is lost or
learned twice would have made this fail.
"""


def rates(found: Mapping[str, Any]) -> str:
    """Return the curves as tables."""
    rows = found["rows"].values()
    first, *_ = rows
    multiples = [f"{point['rate'] / found['capacity']:.2g} x" for point in first["points"]]
    rate = [f"{point['rate']:,.0f}/s" for point in first["points"]]
    head = " | ".join(f"{one} ({two})" for one, two in zip(multiples, rate, strict=True))
    parts = ["## Accuracy when the stream does not wait\n", RATES, "![Curves](rates.svg)\n"]
    titles = {
        "at_arrival": "Accuracy of predictions at arrival",
        "learned": "Share learned in time",
        "replay_ratio": "Replayed for each that was learned",
        "heldout": f"Held-out accuracy at the end ({found['heldout_documents']:,} documents)",
    }
    for name, title in titles.items():
        how = "{:.2f}" if name == "replay_ratio" else "{:.1%}"
        parts += [
            f"{title}, of {found['documents']:,} documents:\n",
            f"| arriving | capacity | {head} |",
            f"| --- | ---: |{' ---: |' * len(rate)}",
        ]
        for row in rows:
            shown = " | ".join(how.format(point[name]) for point in row["points"])
            parts.append(f"| {row['title']} | {row['capacity']:,.0f}/s | {shown} |")
        parts.append("")
    return "\n".join(parts)


def overload(found: Mapping[str, Any]) -> str:
    """Return what a load of some minutes does."""
    times, memory = found["rate"] / found["sustainable"], found["memory_mb"]
    told = {
        "sustainable": f"{found['sustainable']:.1f} documents/s",
        "arriving": f"{found['rate']:.1f} documents/s, for {found['seconds']:.0f} s",
        "sent, predicted once, learned once": f"{found['sent']:,} each",
        "most that waited": f"{found['waiting']:,} documents, {found['behind']:.0f} s",
        "caught up after the load": f"{found['caught_up']:.0f} s",
        "memory, median of the second tenth of the load": f"{memory['early']:,.0f} MB",
        "the same, of as long at the end": f"{memory['late']:,.0f} MB",
        "memory at its most, while a checkpoint is copied": f"{memory['most']:,.0f} MB",
    }
    parts = [
        "## Overload\n",
        OVERLOAD.format(times=times, cores=found["machine"]["cores"], **found),
        "![Load](overload.svg)\n",
        "| | |\n| --- | --- |",
        *(f"| {name} | {value} |" for name, value in told.items()),
        "",
        f"| accuracy | first {found['first']:,} | all | held-out at the end |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name in ("in_time", "under_load"):
        scores = found[name]
        shown = " | ".join(_share(scores[part]) for part in ("first", "all", "heldout"))
        parts.append(f"| {name.replace('_', ' ')} | {shown} |")
    return "\n".join([*parts, ""])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
