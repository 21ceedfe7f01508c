"""The one consumer of a group that learns: it goes on from the last commit, to the end."""

import gc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.state import CheckpointContents, Stateful
from consumer.checkpoints.store import CheckpointStore
from consumer.commit import recovery
from consumer.commit.committer import CommitSchedule, Committer
from consumer.commit.writer import OutputWriter
from consumer.drift.adaptation import DriftAdaptation
from consumer.evaluation.evaluator import Evaluator
from consumer.kafka.batch import LabelTopic
from consumer.kafka.merged import MergedStream, RecordStream
from consumer.kafka.offsets import FRESH
from consumer.kafka.outbox import ImmediateDelivery, Outbox, TransactionalDelivery
from consumer.kafka.poller import LOOK_SECONDS, Poller, beginnings, connect
from consumer.kafka.source import KafkaSource
from consumer.kafka.transaction import Transactions, superseded
from consumer.labels import LabelSet
from consumer.learners.factory import BuiltModel
from consumer.loop.labelling import Labelling
from consumer.loop.micro_batch import MicroBatch
from consumer.loop.prequential import run
from consumer.loop.quarantine import Quarantine
from consumer.monitoring import counters
from consumer.monitoring.counters import CounterFile
from consumer.monitoring.learning_metrics import Metrics
from consumer.monitoring.progress import LabelsMissing, Progress
from consumer.replay.buffer import ReplayBuffer
from consumer.replay.ratio import ReplayRatio
from consumer.settings import Settings
from consumer.web.status import Health
from newsreel.common import kafka
from newsreel.common.shutdown import Shutdown
from newsreel.events import topics

QUEUED_MICRO_BATCHES = 8

LOOK_FOR_LABELS_SECONDS = 0.2
"""How often the broker is asked whether there are labels, before a document is predicted."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What learning is made of; all but the extractor is kept by checkpoints."""

    assembled: BuiltModel
    labels: LabelSet
    replay: ReplayBuffer
    replay_ratio: ReplayRatio
    evaluator: Evaluator
    micro_batch: MicroBatch
    quarantine: Quarantine
    adaptation: DriftAdaptation
    waiting: Labelling
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


@dataclass(frozen=True, slots=True)
class Leader:
    """What a consumer works with once it is the one that learns."""

    settings: Settings
    stop: Shutdown
    store: CheckpointStore
    parts: Parts
    transactions: Transactions
    metrics: Metrics
    health: Health
    interrupts: Interrupts


def lead(leader: Leader, stack: ExitStack, restored: Callable[[], None]) -> None:
    """Go on from the last commit, and learn until the end or until another takes over.

    ``restored`` is called when the model is that of the last commit.
    """
    settings, stop, store = leader.settings, leader.stop, leader.store
    parts, interrupts, transactions = leader.parts, leader.interrupts, leader.transactions
    metrics = leader.metrics
    committed = transactions.begin()
    reader = kafka.retry(lambda: connect(settings.connection.options), lambda: stop.requested)
    start = recovery.starting_point(
        settings.group,
        settings.topic,
        committed,
        kafka.retry(lambda: beginnings(reader, settings.topic), lambda: stop.requested),
        store.ids(),
    )
    recovery.require_own(store, settings.group, settings.topic)
    describes = parts.assembled.describes | {"replay": settings.replay}
    positions = recovery.restore(store, start, parts.stateful(), describes)
    parts.progress.checkpoint = start.checkpoint
    # What was written and never committed is of another history: not to be gone back to.
    store.clear(start.checkpoint, interrupts)
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
    sender = (
        ImmediateDelivery(settings.connection)
        if settings.delivery == "at-least-once"
        else TransactionalDelivery()
    )
    stack.callback(sender.close)
    outbox = Outbox(sender)
    published = start.positions if positions != start.positions else {}
    writer = OutputWriter(settings.topic, settings.group, outbox, parts.progress, behind=published)
    committer = Committer(
        store,
        transactions,
        outbox,
        CheckpointContents(parts.stateful(), settings.topic, settings.group, describes),
        parts.progress,
        CommitSchedule(settings.checkpoint_every, settings.checkpoint_seconds, published),
        metrics,
        interrupts,
    )
    records, late_labels = _with_labels(leader, stack, poller)
    source = KafkaSource(
        records,
        parts.labels,
        positions,
        settings.linger,
        settings.stop_after,
        settings.stop_when_idle,
        stopping=lambda: stop.requested or committer.failed or interrupts.fenced(),
        late_labels=late_labels,
    )

    gc.collect()
    gc.freeze()  # the model stays: looking through it would stop the loop for .3 s now and then
    poller.start()
    leader.health.begin(poller.problem, [poller.not_ready, committer.problem])
    restored()
    metrics.began(
        CounterFile(store.folder / counters.COUNTER_FILE, interrupts.fenced),
        store.written(start.checkpoint),
        lambda: poller.silence,
    )
    log.info("learning", topic=settings.topic, group=settings.group)
    missing = LabelsMissing(topics.labels(settings.topic), expected=settings.late_labels)
    step = None
    for step in run(
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
        missing.observe(step)
        committer.follow(step)
    if interrupts.fenced():
        raise superseded(settings.group)
    if step is not None:
        committer.finish(step)
    metrics.keep()


def _with_labels(
    leader: Leader, stack: ExitStack, documents: Poller
) -> tuple[RecordStream, LabelTopic]:
    """Read the topic of labels, too, if they come later; it is read from where that stopped."""
    settings, topic = leader.settings, topics.labels(leader.settings.topic)
    if not settings.late_labels:
        return documents, LabelTopic()
    reader = connect(settings.connection.options)
    positions = beginnings(reader, topic) | dict(leader.parts.waiting.positions)
    labels = Poller(
        reader,
        topic,
        positions,
        QUEUED_MICRO_BATCHES * settings.batch_size,
        settings.lost_offsets,
        leader.metrics,
        LOOK_FOR_LABELS_SECONDS,
    )
    stack.callback(labels.close)
    labels.start()
    return MergedStream(documents, labels), LabelTopic(topic, positions, labels.lag)
