"""Write the cells of arrivals as Markdown tables."""

from benchmarks.results import Cell

RATES = """\
Each document is predicted by the current model the moment it arrives, and learned after the
documents before it; the stream does not wait (Ghunaim et al. 2023, where documents that cannot be
learned in time are skipped: here they wait). A document that is still waiting when the last one
arrives was not learned in time. Predictions take no time here. The clock is simulated: a step takes
the time that equal steps took when they were timed. Capacity is the number of documents learned in
a second with all replay.
"""

OVERLOAD = """\
A consumer with default settings first learns {first:,} documents that are in the topic already;
its documents per second are the sustainable rate. Then a producer sends {times:g} times that
rate to another consumer for {seconds:.0f} s; that consumer continues until no document waits. Both
consumers compute with {threads} of {cores} cores; broker and producer have the rest. The corpus
repeats, in a new order each time: the accuracy on "all" includes texts seen before. A document that
is lost or learned twice would end this benchmark with an error.
"""


def rates(cell: Cell) -> str:
    """Return accuracy, share learned and replay by row and rate of arrival."""
    rows = cell["rows"].values()
    first, *_ = rows
    head = " | ".join(
        f"{point['rate'] / cell['capacity']:.2g} x ({point['rate']:,.0f}/s)"
        for point in first["points"]
    )
    parts = ["## Accuracy when the stream does not wait\n", RATES, "![Curves](rates.svg)\n"]
    titles = {
        "at_arrival": "Accuracy of predictions at arrival",
        "learned": "Share learned in time",
        "replay_ratio": "Replayed for each that was learned",
        "heldout": f"Held-out accuracy at the end ({cell['heldout_documents']:,} documents)",
    }
    for field, title in titles.items():
        form = "{:.2f}" if field == "replay_ratio" else "{:.1%}"
        parts += [
            f"{title}, of {cell['documents']:,} documents:\n",
            f"| arriving | capacity | {head} |",
            f"| --- | ---: |{' ---: |' * len(first['points'])}",
        ]
        for row in rows:
            shares = " | ".join(form.format(point[field]) for point in row["points"])
            parts.append(f"| {row['title']} | {row['capacity']:,.0f}/s | {shares} |")
        parts.append("")
    return "\n".join(parts)


def overload(cell: Cell) -> str:
    """Return lag, memory and accuracy under load."""
    times, memory = cell["rate"] / cell["sustainable"], cell["memory_mb"]
    facts = {
        "sustainable": f"{cell['sustainable']:.1f} documents/s",
        "arriving": f"{cell['rate']:.1f} documents/s, for {cell['seconds']:.0f} s",
        "sent, predicted once, learned once": f"{cell['sent']:,} each",
        "longest queue": f"{cell['waiting']:,} documents, {cell['behind']:.0f} s",
        "caught up after the load": f"{cell['caught_up']:.0f} s",
        "memory, median over the second tenth of the load": f"{memory['early']:,.0f} MB",
        "the same over an equal time at the end": f"{memory['late']:,.0f} MB",
        "peak memory, while a checkpoint is copied": f"{memory['most']:,.0f} MB",
    }
    parts = [
        "## Overload\n",
        OVERLOAD.format(times=times, cores=cell["machine"]["cores"], **cell),
        "![Load](overload.svg)\n",
        "| | |\n| --- | --- |",
        *(f"| {name} | {value} |" for name, value in facts.items()),
        "",
        f"| accuracy | first {cell['first']:,} | all | held-out at the end |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name in ("in_time", "under_load"):
        scores = cell[name]
        shares = " | ".join(_share(scores[part]) for part in ("first", "all", "heldout"))
        parts.append(f"| {name.replace('_', ' ')} | {shares} |")
    return "\n".join([*parts, ""])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
