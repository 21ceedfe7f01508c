"""``python -m producer``: settings become parts, and the parts one stream."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from random import Random

import structlog
from prometheus_client import CollectorRegistry

from events.document import Document
from producer import connection, corpus, metrics, order, pace, progress
from producer.settings import Settings
from producer.tally import Tally
from service import cli, kafka, logs
from service.stop import Stop

log = structlog.get_logger()


def main(argv: Sequence[str]) -> None:
    """Publish a corpus, and say what became of it."""
    logs.configure()
    settings = cli.parse(Settings, argv)
    # What is quickly checked comes first: files, then addresses, then what takes long to load.
    source = corpus.find(
        settings.corpus,
        split=settings.split,
        remove=settings.remove.split(",") if settings.remove else [],
        text_column=settings.text_column,
        label_column=settings.label_column,
        id_column=settings.id_column,
    )
    tally = Tally()
    with ExitStack() as stack:
        if settings.metrics_port is not None:
            registry = CollectorRegistry()
            registry.register(metrics.TallyCollector(tally))
            serving = metrics.serve(registry, settings.metrics_host, settings.metrics_port)
            stack.enter_context(serving)
        with kafka.admin(settings.connection) as client:
            partitions = kafka.ensure(client, settings.topic, settings.partitions)
            record_bytes = connection.largest_record(client, settings.topic)
            published = kafka.count(client, settings.topic) if settings.resume else 0
        log.info("topic", name=settings.topic, partitions=len(partitions), published=published)
        documents, total = _ordered(settings, source, published)
        stop = stack.enter_context(Stop())
        start = time.monotonic()
        stack.callback(_report, settings.topic, tally, start)
        publisher = stack.enter_context(
            connection.connect(
                settings.connection, settings.topic, source.source, tally, record_bytes
            )
        )
        arriving = pace.paced(documents, _schedule(settings), time.monotonic, stop.sleep)
        for document in progress.on_standard_error()(arriving, tally, total):
            if stop.asked:
                log.info("stopping", delivered=tally.delivered)
                break
            publisher.publish(document)
    if tally.failed:
        sys.exit(1)


def _ordered(
    settings: Settings, source: corpus.Corpus, published: int
) -> tuple[Iterator[Document], int | None]:
    """Put the corpus in order; returns what is left of the stream and its length, if known."""
    total = settings.limit
    if settings.order == "shuffled":
        documents = list(source)
        passes = order.shuffled(documents, Random(settings.seed))
        total = min(len(documents) * settings.repeat, settings.limit or sys.maxsize)
    else:
        passes = order.as_is(source)
    stream = order.resume(order.replay(passes, settings.repeat, settings.limit), published)
    # The corpus is read up to here, while Ctrl-C still ends the program at once.
    first = list(islice(stream, 1))
    return chain(first, stream), total and max(0, total - published)


def _schedule(settings: Settings) -> Iterator[float]:
    if settings.rate is None:
        return pace.at_once()
    if settings.arrivals == "poisson":
        return pace.poisson(settings.rate, Random(settings.seed))
    return pace.constant(settings.rate)


def _report(topic: str, tally: Tally, start: float) -> None:
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
