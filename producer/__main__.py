"""``python -m producer``: settings become parts, and the parts one stream."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from random import Random

import structlog
from prometheus_client import CollectorRegistry

from newsreel.common import cli, kafka, logs
from newsreel.common.errors import UserError
from newsreel.common.shutdown import Shutdown
from newsreel.events import topics
from producer import arrivals, connection, metrics, progress
from producer.arrivals import Timetable
from producer.corpus import times
from producer.corpus.find import Corpus, find_corpus
from producer.publisher import PublishCounts
from producer.scenarios import order, plan
from producer.scenarios.plan import Plan
from producer.scenarios.stream import Stream
from producer.settings import Settings

log = structlog.get_logger()


def main(argv: Sequence[str]) -> None:
    """Publish a corpus, and say what became of it."""
    logs.configure()
    settings = cli.parse(Settings, argv)
    # What is quickly checked comes first: files, then addresses, then what takes long to load.
    chosen = plan.parse(settings.scenario)
    if settings.speedup is not None and not plan.keeps_time(chosen):
        raise UserError(
            "--speedup goes by the documents' times: give --scenario chronological, or as-is where"
            " they are in that order already"
        )
    source = find_corpus(
        settings.corpus,
        split=settings.split,
        remove=settings.remove.split(",") if settings.remove else [],
        text_column=settings.text_column,
        label_column=settings.label_column,
        id_column=settings.id_column,
        time_column=settings.time_column,
        dates=settings.dates,
    )
    tally = PublishCounts()
    with ExitStack() as stack:
        if settings.metrics_port is not None:
            registry = CollectorRegistry()
            registry.register(metrics.PublishCollector(tally))
            serving = metrics.serve(registry, settings.metrics_host, settings.metrics_port)
            stack.enter_context(serving)
        timetable = Timetable(_schedule(settings), settings.speedup)
        with kafka.admin(settings.connection) as client:
            # Before there is a topic: a corpus that is not fit for the scenario leaves none behind.
            stream, total = _stream(settings, chosen, source, timetable)
            partitions = kafka.ensure(client, settings.topic, settings.partitions)
            record_bytes = connection.largest_record(client, settings.topic)
            published = kafka.count(client, settings.topic) if settings.resume else 0
            if plan.has_labels(chosen):
                kafka.ensure(client, topics.labels(settings.topic), count=1)
            if plan.has_truth(chosen):
                kafka.ensure(client, topics.truth(settings.topic), count=1)
        log.info("topic", name=settings.topic, partitions=len(partitions), published=published)
        stream = order.resume(stream, published)
        left = None if total is None else max(0, total - published)
        stop = stack.enter_context(Shutdown())
        start = time.monotonic()
        stack.callback(_report, settings.topic, tally, start)
        publisher = stack.enter_context(
            connection.connect(
                settings.connection,
                settings.topic,
                source.source,
                tally,
                record_bytes,
                published=published,
            )
        )
        if settings.rate is not None or settings.speedup is not None:
            stream = arrivals.paced(stream, timetable.due, time.monotonic, stop.sleep, published)
        for item in progress.on_standard_error()(stream, tally, left):
            if stop.requested:
                log.info("stopping", delivered=tally.delivered)
                break
            publisher.send(item)
        whole = not (stop.requested or published)
    if whole:
        _warn_of_calm(chosen, tally)
    if tally.failed:
        sys.exit(1)


def _stream(
    settings: Settings, chosen: Plan, source: Corpus, timetable: Timetable
) -> tuple[Stream, int | None]:
    """Make the stream; returns with it how many documents it has, if that is known."""
    documents = source if settings.speedup is None else times.needed(source)
    stream, total = plan.build(chosen, documents, settings.seed, settings.repeat, timetable.due)
    if settings.limit is not None:
        stream = order.limited(stream, settings.limit)
        total = min(total or settings.limit, settings.limit)
    # The corpus is read up to here, while Ctrl-C still ends the program at once.
    first = list(islice(stream, 1))
    return chain(first, stream), total


def _schedule(settings: Settings) -> Iterator[float] | None:
    if settings.rate is None:
        return None
    random = Random(settings.seed)
    match settings.arrivals:
        case "poisson":
            return arrivals.poisson(settings.rate, random)
        case "bursts":
            return arrivals.bursts(settings.rate, settings.period, random)
        case "day-and-night":
            return arrivals.day_and_night(settings.rate, settings.period, random)
        case _:
            return arrivals.constant(settings.rate)


def _warn_of_calm(chosen: Plan, tally: PublishCounts) -> None:
    """Say what did not change in a stream that was published as a whole."""
    told = {scenario for scenario, _ in tally.changes}
    for name in plan.changing(chosen):
        if name not in told:
            log.warning(
                "nothing changed: the stream was over before",
                scenario=name,
                documents=tally.delivered,
            )


def _report(topic: str, tally: PublishCounts, start: float) -> None:
    seconds = time.monotonic() - start
    if tally.skipped:
        log.warning("skipped", documents=tally.skipped, first=tally.first_skipped)
    if tally.failed:
        log.error("failed", documents=tally.failed, first=tally.first_failed)
    log.info(
        "published",
        topic=topic,
        delivered=tally.delivered,
        failed=tally.failed,
        skipped=tally.skipped,
        seconds=round(seconds, 1),
        per_second=round(tally.delivered / seconds),
    )


if __name__ == "__main__":
    sys.exit(cli.run("producer", main, sys.argv[1:]))
