"""Composition root: builds the parts, owns signals and the order in which things end."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib import metadata

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from consumer import (
    api,
    composition,
    examine,
    heldout,
    leading,
    lenient,
    persistent,
    server,
    summary,
)
from consumer.checkpoint import CheckpointStore
from consumer.evaluation import Evaluator
from consumer.health import Health
from consumer.heldout import HeldOut
from consumer.labels import LabelSet
from consumer.leading import Leader, Parts
from consumer.lease import Lease
from consumer.metrics.learning import Metrics
from consumer.micro_batch import MicroBatch
from consumer.progress import Progress
from consumer.quarantine import Quarantine
from consumer.serving import Serving
from consumer.settings import Settings
from consumer.sharing import SharedModel
from consumer.status import Status
from consumer.tally import Scores
from consumer.transaction import Transactions
from events import topics
from service import VERSION, cli, kafka, logs
from service.stop import Stop

log = structlog.get_logger()


def learn(argv: Sequence[str], reached: Callable[[str], None] = lambda _: None) -> None:
    """Learn from the stream until told to stop.

    ``reached`` is told of each point at which a fault is worth testing.
    """
    settings = cli.parse(Settings, argv)
    lenient.install()
    persistent.install()
    with ExitStack() as stack:
        _learn(settings, stack, reached)


def _learn(settings: Settings, stack: ExitStack, reached: Callable[[str], None]) -> None:
    stop = stack.enter_context(Stop())
    if settings.summary is not None:
        summary.check_writable(settings.summary)  # better to fail now than after hours
    store = CheckpointStore(settings.checkpoint_dir, settings.keep_checkpoints)
    store.create()
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.describe(
        version=VERSION,
        learner=settings.learner,
        model=settings.model,
        torch=metadata.version("torch"),
        transformers=metadata.version("transformers"),
    )
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    progress = Progress()
    health = Health()

    with kafka.admin(settings.connection) as admin:
        kafka.require(admin, settings.topic)
        for made in (topics.dead_letters, topics.predictions, topics.drift):
            kafka.ensure(admin, made(settings.topic), count=1)
        if settings.late_labels:
            kafka.ensure(admin, topics.labels(settings.topic), count=1)
    serving = Serving(progress)
    about = {"learner": settings.learner, "encoder": settings.model}
    status = Status(progress, health, store, about)
    app = api.app(
        server.monitoring(registry, health.complaint, health.not_ready, metrics.keep),
        status.snapshot,
        serving.predict,
        lambda: status.model(serving.labels),
        metrics.served,
        VERSION,
    )
    address = stack.enter_context(
        server.serve(app, settings.http_host, settings.http_port, settings.http_token, api.OPEN)
    )

    log.info("loading", learner=settings.learner, model=settings.model, http=address)
    labels = LabelSet(settings.max_labels)
    assembled = composition.assembled(settings)
    model = SharedModel(
        assembled.extractor, assembled.learner, labels, apart=settings.averaging > 0
    )
    parts = Parts(
        replace(assembled, extractor=model.extractor, learner=model.learner),
        labels,
        composition.replay_buffer(settings),
        composition.replay_ratio(settings),
        Evaluator(),
        MicroBatch(settings.batch_size),
        Quarantine(settings.topic),
        composition.adaptation(settings),
        composition.waiting(settings),
        progress,
    )
    lease = Lease(store.folder)
    stack.callback(lease.release)
    if not lease.acquire(
        lambda: stop.asked,
        lambda holder: log.info("standing by", group=settings.group, holder=holder, http=address),
    ):
        return
    transactions = Transactions(
        settings.connection,
        settings.group,
        settings.topic,
        lost=lease.lost,
        hurry=stop.overdue,
        retried=metrics.retried,
        reached=reached,
    )
    stack.callback(transactions.close)
    leader = Leader(settings, stop, store, parts, lease, transactions, metrics, health, reached)
    leading.lead(leader, stack, lambda: serving.begin(model))

    scores = None if stop.asked else _examine(settings, parts, stop)
    told = progress.summary(
        scores, learner=settings.learner, model=settings.model, seed=settings.seed
    )
    log.info("done", **{name: told[name] for name in summary.SHOWN if told[name] is not None})
    if settings.summary is not None:
        summary.write(settings.summary, told)


def _examine(settings: Settings, parts: Parts, stop: Stop) -> Scores | None:
    """Examine the learner on the held-out topic, unless that is asked to stop, too."""
    documents = HeldOut(settings.connection, topics.heldout(settings.topic)).read()
    scores = heldout.evaluate(
        parts.assembled.extractor,
        parts.assembled.learner,
        parts.labels,
        documents,
        stopping=lambda: stop.asked,
    )
    return None if stop.asked else scores


def main() -> int:
    """Run what the command line asks for."""
    logs.configure()
    arguments = sys.argv[1:]
    if arguments[:1] == ["evaluate"]:
        return cli.run("consumer evaluate", examine.evaluate, arguments[1:])
    return cli.run("consumer", learn, arguments)


if __name__ == "__main__":
    sys.exit(main())
