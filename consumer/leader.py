"""The consumer that holds the lease: it resumes from the last commit and learns to the end."""

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.state import CheckpointContents, Stateful
from consumer.checkpoints.store import CheckpointStore
from consumer.commit.committer import CommitSchedule, Committer
from consumer.commit.first_labels import first_labels
from consumer.commit.resume import Resumed, Resumption
from consumer.commit.writer import OutputWriter
from consumer.kafka.batch import LabelTopic
from consumer.kafka.client import connect
from consumer.kafka.commits import Commits, superseded
from consumer.kafka.config import Since
from consumer.kafka.merged import MergedStream, RecordStream
from consumer.kafka.offsets import FRESH, checkpoint_id
from consumer.kafka.opening import open_topic
from consumer.kafka.outbox import Delivery, ImmediateDelivery, Outbox, TransactionalDelivery
from consumer.kafka.poller import LOOK_SECONDS, Poller
from consumer.kafka.source import KafkaSource, RunEnd
from consumer.kafka.topic_client import TopicClient
from consumer.kafka.topic_state import TopicState
from consumer.loop.prequential import Loop
from consumer.monitoring.counters import COUNTER_FILE, CounterFile
from consumer.monitoring.label_report import LabelReport
from consumer.monitoring.learning_metrics import Metrics
from consumer.monitoring.progress import LabelsMissing, Progress
from consumer.records.reader import RecordReader
from consumer.records.screening import Screening
from consumer.settings import Settings
from consumer.web.status import Health
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.retrying import Waiting, retry

QUEUED_MICRO_BATCHES = 8
LOOK_FOR_LABELS_SECONDS = 0.2
"""Seconds between two checks for late labels."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Leader:
    """The parts of the consumer that learns."""

    settings: Settings
    reader: RecordReader
    loop: Loop
    description: Mapping[str, Any]
    """What a checkpoint must have been written with to fit the model."""
    progress: Progress
    metrics: Metrics
    store: CheckpointStore
    interrupts: Interrupts

    def run(
        self,
        commits: Commits,
        committed: Mapping[int, OffsetAndMetadata],
        health: Health,
        stack: ExitStack,
        on_restored: Callable[[], None],
    ) -> None:
        """Resume from the last commit, and learn until the stream ends or a successor takes over.

        Parameters
        ----------
        commits
            Commits of the group, begun.
        committed
            Committed offsets of the group, by partition.
        health
            Health checks, which follow the poller and the committer from now on.
        stack
            Closes what this run opens.
        on_restored
            Called when the model is that of the last commit.

        Raises
        ------
        UserError
            The run can't resume, or can't go on; the message says what to do.
        """
        settings = self.settings
        reader, state = self._open(settings.topic, settings.from_, committed)
        self._begin_labels(committed)
        contents = CheckpointContents(
            self._parts(), settings.topic, settings.group, dict(self.description), state.id
        )
        resumed = self._resume(commits, committed, state, contents)
        poller = self._poller(reader, settings.topic, resumed.positions, state.id)
        stack.callback(poller.close)
        outbox = Outbox(self._delivery(stack))
        writer = OutputWriter(
            settings.topics, settings.group, outbox, self.progress, resumed.published
        )
        committer = self._committer(commits, outbox, resumed, contents)
        screening = Screening(
            self.reader, settings.topic, settings.records, usable=self.progress.documents > 0
        )
        source = self._source(poller, resumed.positions, committer, screening, stack)

        poller.start()
        health.begin(
            poller.problem, [poller.not_ready, source.not_ready, committer.problem], poller.notices
        )
        on_restored()
        self.metrics.began(
            CounterFile(self.store.folder / COUNTER_FILE, self.interrupts.fenced),
            self.store.written(resumed.start.checkpoint),
            lambda: poller.queue.silence,
            committer.overdue,
        )
        log.info("learning", topic=settings.topic, group=settings.group)
        self._learn(source, writer, committer, screening)

    def _learn(
        self,
        source: KafkaSource,
        writer: OutputWriter,
        committer: Committer,
        screening: Screening,
    ) -> None:
        """Run the loop, and hand each step to everything that follows it."""
        labels_missing = LabelsMissing(
            self.settings.topics.labels, expected=self.settings.late_labels
        )
        label_report = LabelReport(self.settings.topics.labels)
        step = None
        for step in self.loop.run(source):
            writer.write(step)
            self.progress.observe(step)
            self.metrics.observe(step)
            labels_missing.observe(step)
            label_report.observe(step)
            committer.follow(step)
        writer.finish()
        screening.finish()
        label_report.finish()
        if self.interrupts.fenced():
            raise superseded(self.settings.group)
        if step is not None:
            committer.finish(step)
        self.metrics.keep()

    def _is_stopping(self) -> bool:
        return self.interrupts.stopping()

    def _parts(self) -> dict[str, Stateful]:
        """Return the parts that a checkpoint keeps, by name."""
        return self.loop.parts() | {"progress": self.progress}

    def _open(
        self, topic: str, since: Since, known: Collection[int]
    ) -> tuple[KafkaConsumer, TopicState]:
        return open_topic(self.settings.connection, topic, since, self._is_stopping, known)

    def _begin_labels(self, committed: Mapping[int, OffsetAndMetadata]) -> None:
        """Set where a group without a checkpoint begins in the topic of labels."""
        settings, labels = self.settings, self.settings.topics.labels

        def first() -> Mapping[int, int]:
            reader, state = self._open(labels, settings.from_, ())
            reader.close(autocommit=False)
            return state.first

        if settings.late_labels and checkpoint_id(committed) is None:
            self.loop.labelling.positions = first_labels(
                self.store.folder,
                settings.group,
                labels,
                first,
                begun=any(found.metadata == FRESH for found in committed.values()),
            )

    def _resume(
        self,
        commits: Commits,
        committed: Mapping[int, OffsetAndMetadata],
        state: TopicState,
        contents: CheckpointContents,
    ) -> Resumed:
        """Restore the last commit; a new group begins where --from says."""
        settings = self.settings
        resumption = Resumption(self.store, commits, self.progress, self.interrupts)
        resumed = resumption.resume(
            contents,
            committed,
            state,
            keep_model=settings.keep_model,
            skip_lost=settings.lost_offsets == "continue",
        )
        self.metrics.records_lost(resumed.start.lost)
        if committed and not resumed.start.moved and "from_" in settings.model_fields_set:
            log.info("--from has no effect, the group has committed", group=settings.group)
        return resumed

    def _poller(
        self,
        reader: KafkaConsumer,
        topic: str,
        positions: Mapping[int, int],
        topic_id: str | None,
    ) -> Poller:
        settings = self.settings
        return Poller(
            TopicClient(reader, topic, lambda: connect(settings.connection.options)),
            positions,
            QUEUED_MICRO_BATCHES * settings.batch_size,
            settings.lost_offsets,
            self.metrics,
            LOOK_FOR_LABELS_SECONDS if settings.late_labels else LOOK_SECONDS,
            topic_id,
        )

    def _delivery(self, stack: ExitStack) -> Delivery:
        if self.settings.delivery == "exactly-once":
            return TransactionalDelivery()
        connection = self.settings.connection
        waiting = Waiting("sending", lambda: diagnose(connection, Need()))
        delivery = retry(lambda: ImmediateDelivery(connection), waiting, self._is_stopping)
        stack.callback(delivery.close)
        return delivery

    def _committer(
        self,
        commits: Commits,
        outbox: Outbox,
        resumed: Resumed,
        contents: CheckpointContents,
    ) -> Committer:
        settings = self.settings
        schedule = CommitSchedule(
            settings.checkpoint_every, settings.checkpoint_seconds, resumed.published
        )
        return Committer(
            self.store,
            commits,
            outbox,
            contents,
            self.progress,
            schedule,
            self.metrics,
            self.interrupts,
        )

    def _source(
        self,
        poller: Poller,
        positions: Mapping[int, int],
        committer: Committer,
        screening: Screening,
        stack: ExitStack,
    ) -> KafkaSource:
        settings = self.settings
        records, late_labels = self._with_labels(poller, stack)
        end = RunEnd(
            settings.stop_after,
            settings.stop_when_idle,
            lambda: self._is_stopping() or committer.failed or self.interrupts.fenced(),
        )
        return KafkaSource(
            records,
            screening,
            self.loop.classifier.labels,
            positions,
            settings.linger,
            end,
            late_labels,
        )

    def _with_labels(self, documents: Poller, stack: ExitStack) -> tuple[RecordStream, LabelTopic]:
        """Merge the topic of late labels into the stream, if labels are late."""
        settings, topic = self.settings, self.settings.topics.labels
        if not settings.late_labels:
            return documents.queue, LabelTopic()
        reader, state = self._open(topic, "earliest", self.loop.labelling.positions)
        positions = state.resumed(self.loop.labelling.positions)
        labels = self._poller(reader, topic, positions, state.id)
        stack.callback(labels.close)
        labels.start()
        labelling = self.loop.labelling
        stream = MergedStream(documents.queue, labels.queue, labelling.alignment)
        return stream, LabelTopic(
            topic,
            positions,
            labels.queue.lag,
            labelling.alignment,
            labelling.expects,
            labels.not_ready,
        )
