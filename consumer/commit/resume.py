"""Resume a run: restore the last commit, and commit what a kill must not lose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kafka import OffsetAndMetadata

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.note import note_committed
from consumer.checkpoints.state import CheckpointContents, take_snapshot
from consumer.checkpoints.store import CheckpointStore
from consumer.commit import recovery
from consumer.commit.group import Group
from consumer.commit.starting_point import StartingPoint, starting_point
from consumer.kafka.commits import Commits
from consumer.kafka.offsets import FRESH
from consumer.kafka.topic_state import TopicState
from consumer.monitoring.progress import Progress
from newsreel.common.retrying import interruptible


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a run resumes."""

    start: StartingPoint
    """The last commit of the group."""
    positions: Mapping[int, int]
    """Next offset to read, by partition; before the commit if its checkpoint was broken."""

    @property
    def published(self) -> Mapping[int, int]:
        """Positions up to which an earlier run has published everything; empty if nothing is."""
        return self.start.positions if self.positions != self.start.positions else {}


@dataclass(frozen=True, slots=True)
class Resumption:
    """Brings the parts of a run to the state of the last commit.

    Parameters
    ----------
    store
        Folder of checkpoints.
    commits
        Commits of the group, begun.
    progress
        Counts of the run; it receives the id of the checkpoint.
    interrupts
        When fenced, nothing is deleted.
    """

    store: CheckpointStore
    commits: Commits
    progress: Progress
    interrupts: Interrupts

    def resume(
        self,
        contents: CheckpointContents,
        committed: Mapping[int, OffsetAndMetadata],
        state: TopicState,
        *,
        keep_model: bool,
        skip_lost: bool = False,
    ) -> Resumed:
        """Restore the last commit.

        A group without a checkpoint commits its positions with the metadata `FRESH`, and a group
        that goes on at other offsets commits a checkpoint with these offsets: otherwise a run that
        is killed before its first commit would look like one whose offsets were lost or moved.

        Parameters
        ----------
        contents
            Parts to restore, and what a checkpoint must be of to fit them.
        committed
            Committed offsets of the group, by partition.
        state
            Topic as it is now.
        keep_model
            Whether to go on with what was learned at other offsets than those of the checkpoint.
        skip_lost
            Whether to go on at the end of a partition that has lost records that were learned.

        Raises
        ------
        UserError
            The run can't resume.
        """
        store = self.store
        recovery.require_own(store, contents.group, contents.topic)
        group = Group(contents.group, contents.topic, committed)
        start = starting_point(group, state, store, keep_model=keep_model, skip_lost=skip_lost)
        positions = recovery.restore(store, start, contents.parts, contents.describes)
        # A checkpoint that was written and never committed belongs to a discarded history.
        store.clear(start.checkpoint, self.interrupts)
        if start.checkpoint is None and not _is_committed(start, committed):
            self._commit(start.positions, FRESH)
        if start.moved:
            start = replace(start, checkpoint=self._save(contents, positions))
        note_committed(store.folder, start.checkpoint)
        self.progress.checkpoint = start.checkpoint
        return Resumed(start, positions)

    def _commit(
        self, positions: Mapping[int, int], id_: str, exists: Callable[[], bool] = lambda: True
    ) -> None:
        """Commit positions; a signal ends the wait for the broker, as nothing was learned yet."""
        interruptible(
            lambda: self.commits.commit([], positions, id_, exists), self.interrupts.stopping
        )

    def _save(self, contents: CheckpointContents, positions: Mapping[int, int]) -> str:
        """Commit the restored state at other offsets than those it was learned up to."""
        id_ = self.store.save(
            take_snapshot(contents.parts),
            self.interrupts,
            positions={str(partition): offset for partition, offset in positions.items()},
            documents=self.progress.documents,
            topic=contents.topic,
            group=contents.group,
            describes=contents.describes,
            topic_id=contents.topic_id,
        )
        self._commit(positions, id_, (self.store.folder / id_).exists)
        # If this checkpoint is ever damaged, an older one must not bring its old offsets back.
        self.store.delete_older(id_)
        return id_


def _is_committed(start: StartingPoint, committed: Mapping[int, OffsetAndMetadata]) -> bool:
    """Return whether the group has committed positions, all of them as the beginning."""
    return all(
        (found := committed.get(partition)) is not None
        and (found.offset, found.metadata) == (position, FRESH)
        for partition, position in start.positions.items()
    )
