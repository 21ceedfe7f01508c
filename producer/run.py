"""The composition root: builds the parts from the settings and publishes one stream."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from random import Random

import structlog
from prometheus_client import CollectorRegistry

from newsreel.common import kafka, patches
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.errors import UserError
from newsreel.common.retrying import Waiting, retry
from newsreel.common.shutdown import Shutdown, StoppedError
from producer import arrivals, connection, metrics, progress
from producer.arrivals import Timetable
from producer.corpus import times
from producer.corpus.find import Corpus, find_corpus
from producer.corpus.tables import dialect
from producer.corpus.tables.columns import ColumnNames
from producer.corpus.tables.table import Format
from producer.publisher import PublishCounts
from producer.scenarios import order, plan
from producer.scenarios.plan import Scenario
from producer.scenarios.stream import Stream
from producer.settings import Settings

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Publish a stream and log the counts at its end.

    Exits with code 1 if a document was too large for the topic.

    Raises
    ------
    UserError
        The options don't fit together, or the corpus or the broker can't be used.
    """
    patches.install()
    # Quick checks come first: options and files, then addresses, then the whole corpus.
    scenario = _scenario(settings)
    corpus = _corpus(settings)
    counts = PublishCounts()
    with ExitStack() as stack:
        if settings.metrics_port is not None:
            registry = CollectorRegistry()
            registry.register(metrics.PublishCollector(counts))
            serving = metrics.serve(registry, settings.metrics_host, settings.metrics_port)
            stack.enter_context(serving)
        timetable = Timetable(_schedule(settings), settings.speedup)
        # The stream is built before any topic is created: a corpus that does not fit the scenario
        # leaves no topic behind.
        connection.wait_for_kafka(settings.connection)
        stream, total = _stream(settings, scenario, corpus, timetable)
        record_bytes, published = _prepare_topics(settings, scenario)
        stream = order.resume(stream, published)
        remaining = None if total is None else max(0, total - published)
        shutdown = stack.enter_context(Shutdown())
        start = time.monotonic()
        stack.callback(_report, settings.topic, counts, start)
        connected = connection.connect(
            settings.connection,
            settings.topics,
            corpus.source,
            counts,
            record_bytes,
            published=published,
            stopping=lambda: shutdown.requested,
        )
        try:
            publisher = stack.enter_context(connected)
        except StoppedError:
            return
        if settings.rate is not None or settings.speedup is not None:
            stream = arrivals.paced(
                stream, timetable.due, time.monotonic, shutdown.sleep, published
            )
        for item in progress.on_standard_error()(stream, counts, remaining):
            if shutdown.requested:
                log.info("stopping", delivered=counts.delivered)
                break
            publisher.send(item)
        complete = not (shutdown.requested or published)
    if complete:
        _warn_of_missing_changes(scenario, counts)
    if counts.failed:
        sys.exit(1)


def _scenario(settings: Settings) -> Scenario:
    """Parse the scenario, and check that it suits the other options."""
    scenario = plan.parse(settings.scenario)
    if settings.speedup is not None and not scenario.keeps_time:
        raise UserError(
            "--speedup needs documents in the order of their times: give --scenario chronological,"
            " or as-is if the corpus has that order already"
        )
    return scenario


def _corpus(settings: Settings) -> Corpus:
    """Find the corpus and check its first document."""
    return find_corpus(
        settings.corpus,
        split=settings.split,
        remove=settings.remove.split(",") if settings.remove else [],
        columns=ColumnNames(
            settings.text_column, settings.label_column, settings.id_column, settings.time_column
        ),
        form=Format(
            None if settings.separator is None else dialect.separator(settings.separator),
            settings.quoting,
            None if settings.header is None else settings.header == "yes",
            settings.encoding,
        ),
        stop_at_bad_row=settings.bad_rows == "stop",
        dates=settings.dates,
    )


def _prepare_topics(settings: Settings, scenario: Scenario) -> tuple[int, int]:
    """Create missing topics of the stream, trying again for a while where Kafka is not ready.

    Returns
    -------
    int, int
        Largest record that the topic of documents accepts, in bytes; and the number of documents
        that an earlier run has published, 0 without ``--resume``.
    """
    topic = settings.topic

    def attempt() -> tuple[int, int, int]:
        with kafka.admin(settings.connection) as client:
            partitions = kafka.ensure(
                client, topic, settings.partitions, keep=settings.keep_records
            )
            record_bytes = connection.largest_record(client, topic)
            published = kafka.count(client, topic) if settings.resume else 0
            if scenario.separates_labels:
                kafka.ensure(client, settings.topics.labels, count=1)
            if scenario.announces_changes:
                kafka.ensure(client, settings.topics.truth, count=1, keep=True)
        return len(partitions), record_bytes, published

    need = Need((topic,))
    waiting = Waiting(f"topic {topic!r}", lambda: diagnose(settings.connection, need))
    partitions, record_bytes, published = retry(attempt, waiting)
    log.info("topic", name=topic, partitions=partitions, published=published)
    return record_bytes, published


def _stream(
    settings: Settings, scenario: Scenario, corpus: Corpus, timetable: Timetable
) -> tuple[Stream, int | None]:
    """Return the stream and its number of documents, None if the number is unknown."""
    documents = corpus if settings.speedup is None else times.require(corpus)
    stream, total = plan.build(scenario, documents, settings.seed, settings.repeat, timetable.due)
    if settings.limit is not None:
        stream = order.limited(stream, settings.limit)
        total = min(total or settings.limit, settings.limit)
    # The first item is read here, while Ctrl-C still ends the program at once: most scenarios read
    # the whole corpus before it.
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


def _warn_of_missing_changes(scenario: Scenario, counts: PublishCounts) -> None:
    """Warn of changes whose place is beyond the end of the stream."""
    announced = {name for name, _ in counts.changes}
    for name in scenario.placed_transforms:
        if name not in announced:
            log.warning(
                "nothing changed: the stream ended before the change",
                scenario=name,
                documents=counts.delivered,
            )


def _report(topic: str, counts: PublishCounts, start: float) -> None:
    seconds = time.monotonic() - start
    if counts.skipped:
        log.warning("skipped", documents=counts.skipped, first=counts.first_skipped)
    if counts.failed:
        log.error("failed", documents=counts.failed, first=counts.first_failed)
    log.info(
        "published",
        topic=topic,
        delivered=counts.delivered,
        failed=counts.failed,
        skipped=counts.skipped,
        seconds=round(seconds, 1),
        per_second=round(counts.delivered / seconds),
    )
