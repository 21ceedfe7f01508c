"""The one consumer of a group that learns: it goes on from the last commit, to the end."""

import gc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from consumer import group, prequential, recovery
from consumer.advice import LabelsMissing
from consumer.assembly import Assembled
from consumer.checkpoint import CheckpointStore, Stateful
from consumer.commit import Committer
from consumer.drift.adaptation import DriftAdaptation
from consumer.evaluation import Evaluator
from consumer.health import Health
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
from consumer.settings import Settings
from consumer.source import KafkaSource, LateLabels
from consumer.transaction import Transactions, superseded
from events import topics
from service import kafka
from service.stop import Stop

QUEUED_MICRO_BATCHES = 8
LOOK_FOR_LABELS_SECONDS = 0.2
"""How often the broker is asked whether there are labels, before a document is predicted."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
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


@dataclass(frozen=True, slots=True)
class Leader:
    """What a consumer works with once it is the one that learns."""

    settings: Settings
    stop: Stop
    store: CheckpointStore
    parts: Parts
    lease: Lease
    transactions: Transactions
    metrics: Metrics
    health: Health
    reached: Callable[[str], None]


def lead(leader: Leader, stack: ExitStack, restored: Callable[[], None]) -> None:
    """Go on from the last commit, and learn until the end or until another takes over.

    ``restored`` is called when the model is that of the last commit.
    """
    settings, stop, store = leader.settings, leader.stop, leader.store
    parts, lease, transactions = leader.parts, leader.lease, leader.transactions
    metrics = leader.metrics
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
        reached=leader.reached,
    )
    records, late_labels = _with_labels(leader, stack, poller)
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
    leader.health.follow(poller, committer)
    restored()
    metrics.began(
        Kept(store.folder / continued.NAME, lease.lost),
        store.written(start.checkpoint),
        lambda: poller.silence,
    )
    log.info("learning", topic=settings.topic, group=settings.group)
    missing = LabelsMissing(topics.labels(settings.topic), expected=settings.late_labels)
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
        missing.observe(step)
        committer.follow(step)
    if lease.lost():
        raise superseded(settings.group)
    if step is not None:
        committer.finish(step)
    metrics.keep()


def _with_labels(leader: Leader, stack: ExitStack, documents: Poller) -> tuple[Records, LateLabels]:
    """Read the topic of labels, too, if they come later; it is read from where that stopped."""
    settings, topic = leader.settings, topics.labels(leader.settings.topic)
    if not settings.late_labels:
        return documents, LateLabels()
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
    return Merged(documents, labels), LateLabels(topic, positions, labels.lag)
