"""Composition root: builds the parts, owns signals and the order in which things end."""

import gc
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from consumer import (
    api,
    composition,
    examine,
    group,
    heldout,
    lenient,
    persistent,
    prequential,
    recovery,
    server,
)
from consumer.assembly import Assembled
from consumer.checkpoint import CheckpointStore, Stateful
from consumer.commit import Committer
from consumer.drift.adaptation import DriftAdaptation
from consumer.evaluation import Evaluator
from consumer.health import Health
from consumer.heldout import HeldOut
from consumer.labels import LabelSet
from consumer.lease import Lease
from consumer.merging import Merged, Records
from consumer.metrics import continued
from consumer.metrics.continued import Kept
from consumer.metrics.learning import Metrics
from consumer.micro_batch import MicroBatch
from consumer.offsets import FRESH
from consumer.outbox import AtOnce, Later, Outbox, Writer
from consumer.pending import Waiting
from consumer.poller import LOOK_SECONDS, Poller, beginnings, connect
from consumer.progress import Progress
from consumer.quarantine import Quarantine
from consumer.replay import ReplayBuffer
from consumer.replay_ratio import ReplayRatio
from consumer.serving import Serving
from consumer.settings import Settings
from consumer.sharing import SharedModel
from consumer.source import KafkaSource
from consumer.status import Status
from consumer.tally import Scores
from consumer.transaction import Transactions, superseded
from events import topics
from service import VERSION, cli, kafka, logs
from service.errors import UserError
from service.stop import Stop

QUEUED_MICRO_BATCHES = 8
LOOK_FOR_LABELS_SECONDS = 0.2
"""How often the broker is asked whether there are labels, before a document is predicted."""

log = structlog.get_logger()


class SummaryError(UserError):
    """The summary can't be written."""


def learn(argv: Sequence[str], reached: Callable[[str], None] = lambda _: None) -> None:
    """Learn from the stream until told to stop.

    ``reached`` is told of each point at which a fault is worth testing.
    """
    settings = cli.parse(Settings, argv)
    lenient.install()
    persistent.install()
    with ExitStack() as stack:
        _learn(settings, stack, reached)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What learning is made of; all but the extractor is kept by checkpoints."""

    assembled: Assembled
    labels: LabelSet
    replay: ReplayBuffer
    replay_ratio: ReplayRatio
    evaluator: Evaluator
    micro_batch: MicroBatch
    quarantine: Quarantine
    adaptation: DriftAdaptation
    waiting: Waiting
    progress: Progress

    def stateful(self) -> dict[str, Stateful]:
        """Return what a checkpoint keeps, by name."""
        return {
            "labels": self.labels,
            "learner": self.assembled.learner,
            "replay": self.replay,
            "replay_ratio": self.replay_ratio,
            "evaluator": self.evaluator,
            "micro_batch": self.micro_batch,
            "quarantine": self.quarantine,
            "adaptation": self.adaptation,
            "waiting": self.waiting,
            "progress": self.progress,
        }


def _learn(settings: Settings, stack: ExitStack, reached: Callable[[str], None]) -> None:
    stop = stack.enter_context(Stop())
    if settings.summary is not None:
        _check_writable(settings.summary)  # better to fail now than after hours
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
    parts = _Parts(
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
    everything = _Everything(
        settings, stop, store, parts, lease, transactions, metrics, health, reached
    )
    _lead(everything, stack, lambda: serving.begin(model))

    scores = None if stop.asked else _examine(settings, parts, stop)
    summary = progress.summary(
        scores, learner=settings.learner, model=settings.model, seed=settings.seed
    )
    log.info("done", **{name: summary[name] for name in SHOWN if summary[name] is not None})
    if settings.summary is not None:
        _write(settings.summary, summary)


@dataclass(frozen=True, slots=True)
class _Everything:
    """What a consumer works with once it is the one that learns."""

    settings: Settings
    stop: Stop
    store: CheckpointStore
    parts: _Parts
    lease: Lease
    transactions: Transactions
    metrics: Metrics
    health: Health
    reached: Callable[[str], None]


def _lead(everything: _Everything, stack: ExitStack, restored: Callable[[], None]) -> None:
    """Go on from the last commit, and learn until the end or until another takes over.

    ``restored`` is called when the model is that of the last commit.
    """
    settings, stop, store = everything.settings, everything.stop, everything.store
    parts, lease, transactions = everything.parts, everything.lease, everything.transactions
    metrics = everything.metrics
    committed = transactions.begin()
    reader = kafka.patiently(lambda: connect(settings.connection.options), lambda: stop.asked)
    start = group.starting_point(
        settings.group,
        settings.topic,
        committed,
        kafka.patiently(lambda: beginnings(reader, settings.topic), lambda: stop.asked),
        store.ids(),
    )
    recovery.require_own(store, settings.group, settings.topic)
    describes = parts.assembled.describes | {"replay": settings.replay}
    positions = recovery.restore(store, start, parts.stateful(), describes)
    parts.progress.checkpoint = start.checkpoint
    # What was written and never committed is of another history: not to be gone back to.
    store.clear(start.checkpoint, lease.lost)
    if len(committed) < len(positions) and start.checkpoint is None:
        transactions.commit([], positions, FRESH)
    poller = Poller(
        reader,
        settings.topic,
        positions,
        QUEUED_MICRO_BATCHES * settings.batch_size,
        settings.lost_offsets,
        metrics,
        LOOK_FOR_LABELS_SECONDS if settings.late_labels else LOOK_SECONDS,
    )
    stack.callback(poller.close)
    sender = AtOnce(settings.connection) if settings.delivery == "at-least-once" else Later()
    stack.callback(sender.close)
    outbox = Outbox(sender)
    published = start.positions if positions != start.positions else {}
    writer = Writer(settings.topic, settings.group, outbox, parts.progress, behind=published)
    committer = Committer(
        store,
        transactions,
        outbox,
        parts.stateful(),
        about={"topic": settings.topic, "group": settings.group, "describes": describes},
        progress=parts.progress,
        every=settings.checkpoint_every,
        seconds=settings.checkpoint_seconds,
        beyond=published,
        observer=metrics,
        lost=lease.lost,
        hurry=stop.overdue,
        reached=everything.reached,
    )
    records, late_labels = _with_labels(everything, stack, poller)
    source = KafkaSource(
        records,
        parts.labels,
        positions,
        settings.linger,
        settings.stop_after,
        settings.stop_when_idle,
        stopping=lambda: stop.asked or committer.failed or lease.lost(),
        late_labels=late_labels,
    )

    gc.collect()
    gc.freeze()  # the model stays: looking through it would stop the loop for .3 s now and then
    poller.start()
    everything.health.follow(poller, committer)
    restored()
    metrics.began(
        Kept(store.folder / continued.NAME, lease.lost),
        store.written(start.checkpoint),
        lambda: poller.silence,
    )
    log.info("learning", topic=settings.topic, group=settings.group)
    step = None
    for step in prequential.run(
        source,
        parts.assembled.extractor,
        parts.assembled.learner,
        parts.replay,
        parts.replay_ratio,
        parts.evaluator,
        parts.labels,
        parts.micro_batch,
        parts.quarantine,
        parts.adaptation,
        parts.waiting,
    ):
        writer.write(step)
        parts.progress.observe(step)
        metrics.observe(step)
        committer.follow(step)
    if lease.lost():
        raise superseded(settings.group)
    if step is not None:
        committer.finish(step)
    metrics.keep()


def _with_labels(
    everything: _Everything, stack: ExitStack, documents: Poller
) -> tuple[Records, tuple[str, Mapping[int, int]]]:
    """Read the topic of labels, too, if they come later; it is read from where that stopped."""
    settings, topic = everything.settings, topics.labels(everything.settings.topic)
    if not settings.late_labels:
        return documents, ("", {})
    reader = connect(settings.connection.options)
    positions = beginnings(reader, topic) | dict(everything.parts.waiting.positions)
    labels = Poller(
        reader,
        topic,
        positions,
        QUEUED_MICRO_BATCHES * settings.batch_size,
        settings.lost_offsets,
        everything.metrics,
        LOOK_FOR_LABELS_SECONDS,
    )
    stack.callback(labels.close)
    labels.start()
    return Merged(documents, labels), (topic, positions)


SHOWN = ("documents", "labels", "prequential_accuracy", "heldout_accuracy", "dead_letters")


def _examine(settings: Settings, parts: _Parts, stop: Stop) -> Scores | None:
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


def _check_writable(path: Path) -> None:
    with _told_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()


def _write(path: Path, summary: dict[str, Any]) -> None:
    with _told_of(path):
        path.write_text(json.dumps(summary, indent=2) + "\n")


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SummaryError(
            f"can't write {str(path)!r} ({error.strerror}); name another file with --summary"
        ) from error


def main() -> int:
    """Run what the command line asks for."""
    logs.configure()
    arguments = sys.argv[1:]
    if arguments[:1] == ["evaluate"]:
        return cli.run("consumer evaluate", examine.evaluate, arguments[1:])
    return cli.run("consumer", learn, arguments)


if __name__ == "__main__":
    sys.exit(main())
