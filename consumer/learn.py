"""``python -m consumer``: builds the parts, and owns signals and the order in which parts end."""

import gc
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from importlib import metadata
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from consumer import composition
from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.lease import Lease
from consumer.checkpoints.store import CheckpointStore
from consumer.evaluation.scores import Scores
from consumer.heldout.checkpoint_evaluator import score_heldout
from consumer.heldout.topic import HeldOutTopic
from consumer.kafka import patches
from consumer.kafka.commits import Commits
from consumer.kafka.plain_commits import PlainCommits
from consumer.kafka.transaction import Transactions
from consumer.labels import LabelSet
from consumer.leader import Leader
from consumer.learners.shared import SharedModel
from consumer.loop.prequential import Loop
from consumer.monitoring import summary
from consumer.monitoring.learning_metrics import Metrics
from consumer.monitoring.progress import Progress
from consumer.records.reader import RecordReader
from consumer.settings import Settings
from consumer.web import api, server
from consumer.web.serving import Serving
from consumer.web.status import Health, Status
from newsreel import __version__
from newsreel.common import kafka
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.errors import UserError
from newsreel.common.retrying import Waiting, retry
from newsreel.common.shutdown import Shutdown, StoppedError

log = structlog.get_logger()


def learn_stream(settings: Settings, failpoint: Callable[[str], None]) -> None:
    """Learn from the stream until the stream ends or a signal comes, then write the summary.

    Parameters
    ----------
    failpoint
        Called with the name of each point of a commit at which a test may inject a fault.
    """
    patches.install()
    with ExitStack() as stack:
        try:
            _learn(settings, failpoint, stack)
        except StoppedError:
            log.info("stopped before anything was learned")


def _learn(settings: Settings, failpoint: Callable[[str], None], stack: ExitStack) -> None:
    shutdown = stack.enter_context(Shutdown())
    if settings.summary is not None:
        summary.check_writable(settings.summary)  # better to fail now than after hours
    reader = RecordReader.build(settings.records)
    store = CheckpointStore(settings.checkpoint_dir, settings.keep_checkpoints)
    store.create()
    _require_topics(settings, lambda: shutdown.requested)
    metrics, progress, health = _metrics(settings), Progress(), Health()
    serving = Serving(progress)
    address = stack.enter_context(_http(settings, metrics, progress, health, serving, store))
    holders: list[str] = []  # that this consumer stood by for
    lease = Lease(store.folder)
    stack.callback(lease.release)

    log.info("loading", learner=settings.learner, model=settings.model, http=address)
    # A free lease takes two seconds to acquire: they pass while the model loads.
    loading = stack.enter_context(ThreadPoolExecutor(1)).submit(_load, settings)
    acquired = lease.acquire(
        lambda: shutdown.requested or _has_failed(loading),
        lambda holder: _stand_by(settings, holder, address, holders),
    )
    shared, description = loading.result()  # raises before any other consumer is fenced
    if shutdown.requested or not acquired:
        return
    interrupts = Interrupts(lease.fenced, lambda: shutdown.requested, shutdown.overdue, failpoint)
    kind = Transactions if settings.delivery == "exactly-once" else PlainCommits
    commits: Commits = kind(
        settings.connection, settings.group, settings.topic, interrupts, metrics
    )
    stack.callback(commits.close)
    # A standby has loaded its model: it waits for Kafka as long as it may have waited for a leader.
    committed = commits.begin(math.inf if holders else None)
    loop = composition.build_loop(settings, shared.classifier)
    leader = Leader(settings, reader, loop, description, progress, metrics, store, interrupts)
    leader.run(commits, committed, health, stack, lambda: serving.begin(shared))
    _summarize(settings, reader, loop, progress, shutdown)


def _load(settings: Settings) -> tuple[SharedModel, Mapping[str, Any]]:
    """Build the model, and the description that checkpoints of the model must fit."""
    built = composition.build_model(settings)
    shared = SharedModel(
        built.extractor,
        built.learner,
        LabelSet(settings.max_labels),
        separate_weights=settings.averaging > 0,
    )
    gc.freeze()  # collections that scan the model would pause the loop for 0.3 s at a time
    gc.enable()  # also for a standby, which may wait for days
    return shared, built.describes | {"replay": settings.replay}


def _has_failed(loading: "Future[Any]") -> bool:
    return loading.done() and loading.exception() is not None


def _stand_by(settings: Settings, holder: str, address: str, holders: list[str]) -> None:
    log.info("standing by", group=settings.group, holder=holder, http=address)
    holders.append(holder)


def _require_topics(settings: Settings, stopping: Callable[[], bool]) -> None:
    """Require the topic of documents, and create the missing topics of the consumer's output."""
    topics, connection = settings.topics, settings.connection
    made = [topics.dead_letters, topics.predictions, topics.drift]
    made += [topics.labels] if settings.late_labels else []

    def attempt() -> None:
        with kafka.admin(connection) as admin:
            kafka.require(admin, topics.documents, connection.user)
            for name in made:
                kafka.ensure(admin, name, count=1)

    need = Need((topics.documents, *made))
    retry(attempt, Waiting("the topics", lambda: diagnose(connection, need)), stopping)


def _metrics(settings: Settings) -> Metrics:
    metrics = Metrics(CollectorRegistry())
    metrics.describe(
        version=__version__,
        learner=settings.learner,
        model=settings.model,
        torch=metadata.version("torch"),
        transformers=metadata.version("transformers"),
    )
    ProcessCollector(registry=metrics.registry)
    PlatformCollector(registry=metrics.registry)
    return metrics


def _http(
    settings: Settings,
    metrics: Metrics,
    progress: Progress,
    health: Health,
    serving: Serving,
    store: CheckpointStore,
) -> AbstractContextManager[str]:
    """Serve the page, predictions, metrics and health checks; the context yields the address."""
    about = {"learner": settings.learner, "encoder": settings.model}
    status = Status(progress, health, store, about)
    app = api.app(
        server.monitoring(metrics.registry, health.problem, health.not_ready, metrics.keep),
        status.snapshot,
        serving.predict,
        lambda: status.model(serving.labels),
        metrics.served,
        __version__,
    )
    return server.serve(
        app, settings.http_host, settings.http_port, settings.http_token, api.OPEN_PATHS
    )


def _summarize(
    settings: Settings,
    reader: RecordReader,
    loop: Loop,
    progress: Progress,
    shutdown: Shutdown,
) -> None:
    """Score the model on the held-out topic, and write the summary of the run."""
    scores = None if shutdown.requested else _score(settings, reader, loop, shutdown)
    results = summary.summarize(
        progress.snapshot(),
        scores,
        learner=settings.learner,
        model=settings.model,
        seed=settings.seed,
    )
    shown = {name: results[name] for name in summary.SHOWN if results[name] is not None}
    log.info("done", **shown)
    if settings.summary is not None:
        summary.write(settings.summary, results)


def _score(
    settings: Settings, reader: RecordReader, loop: Loop, shutdown: Shutdown
) -> Scores | None:
    """Score the model on the held-out topic; None if a signal comes, or Kafka is away."""
    topic = HeldOutTopic(settings.connection, settings.topics.heldout, reader)
    try:
        documents = topic.read_when_possible(lambda: shutdown.requested)
    except StoppedError:
        return None
    except UserError as error:  # everything is committed: that must not look like a failure
        log.warning("no held-out figures", topic=settings.topics.heldout, reason=str(error))
        return None
    scores = score_heldout(loop.classifier, documents, stopping=lambda: shutdown.requested)
    return None if shutdown.requested else scores
