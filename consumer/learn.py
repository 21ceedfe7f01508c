"""`python -m consumer`: builds the parts, owns signals and the order in which they end."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib import metadata

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from consumer import composition
from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.lease import Lease
from consumer.checkpoints.store import CheckpointStore
from consumer.evaluation.evaluator import Evaluator
from consumer.evaluation.scores import Scores
from consumer.heldout.checkpoint_evaluator import score_heldout
from consumer.heldout.topic import HeldOutTopic
from consumer.kafka.patches import keep_requests, read_any_header_name
from consumer.kafka.transaction import Transactions
from consumer.labels import LabelSet
from consumer.leader import Leader, Parts, lead
from consumer.learners.shared import SharedModel
from consumer.loop.micro_batch import MicroBatch
from consumer.loop.quarantine import Quarantine
from consumer.monitoring import summary
from consumer.monitoring.learning_metrics import Metrics
from consumer.monitoring.progress import Progress
from consumer.settings import Settings
from consumer.web import api, server
from consumer.web.serving import Serving
from consumer.web.status import Health, Status
from newsreel import __version__
from newsreel.common import cli, kafka
from newsreel.common.shutdown import Shutdown
from newsreel.events import topics

log = structlog.get_logger()


def learn(argv: Sequence[str], failpoint: Callable[[str], None] = lambda _: None) -> None:
    """Learn from the stream until told to stop.

    ``failpoint`` is called with the name of each point at which a fault is worth testing.
    """
    settings = cli.parse(Settings, argv)
    read_any_header_name()
    keep_requests()
    with ExitStack() as stack:
        _learn(settings, stack, failpoint)


def _learn(settings: Settings, stack: ExitStack, failpoint: Callable[[str], None]) -> None:
    stop = stack.enter_context(Shutdown())
    if settings.summary is not None:
        summary.check_writable(settings.summary)  # better to fail now than after hours
    store = CheckpointStore(settings.checkpoint_dir, settings.keep_checkpoints)
    store.create()
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.describe(
        version=__version__,
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
        server.monitoring(registry, health.problem, health.not_ready, metrics.keep),
        status.snapshot,
        serving.predict,
        lambda: status.model(serving.labels),
        metrics.served,
        __version__,
    )
    address = stack.enter_context(
        server.serve(
            app, settings.http_host, settings.http_port, settings.http_token, api.OPEN_PATHS
        )
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
        lambda: stop.requested,
        lambda holder: log.info("standing by", group=settings.group, holder=holder, http=address),
    ):
        return
    interrupts = Interrupts(lease.fenced, stop.overdue, failpoint)
    transactions = Transactions(
        settings.connection,
        settings.group,
        settings.topic,
        interrupts,
        metrics,
    )
    stack.callback(transactions.close)
    leader = Leader(settings, stop, store, parts, transactions, metrics, health, interrupts)
    lead(leader, stack, lambda: serving.begin(model))

    scores = None if stop.requested else _examine(settings, parts, stop)
    told = progress.summary(
        scores, learner=settings.learner, model=settings.model, seed=settings.seed
    )
    log.info("done", **{name: told[name] for name in summary.SHOWN if told[name] is not None})
    if settings.summary is not None:
        summary.write(settings.summary, told)


def _examine(settings: Settings, parts: Parts, stop: Shutdown) -> Scores | None:
    """Examine the learner on the held-out topic, unless that is asked to stop, too."""
    documents = HeldOutTopic(settings.connection, topics.heldout(settings.topic)).read()
    scores = score_heldout(
        parts.assembled.extractor,
        parts.assembled.learner,
        parts.labels,
        documents,
        stopping=lambda: stop.requested,
    )
    return None if stop.requested else scores
