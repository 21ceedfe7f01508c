"""Find where a run begins, and with which checkpoint: by commits, checkpoints and the topic.

The commit names the checkpoint, so most starts need nothing else. The other starts are those after
offsets were moved with Kafka's tools (their metadata is empty), have expired, or belong to a topic
that was deleted and created again, or to a mirrored topic, whose offsets are others, and those
after an unclean leader election, which has removed records that were learned. A run never goes on
at an offset that its model was not learned up to, unless ``keep_model`` or ``skip_lost`` allows it.

A checkpoint that was written and never committed must not be mistaken for what the group has
learned. These facts show that no commit names it:

- A new group commits the metadata `FRESH` for every partition before it writes a checkpoint, also
  if its offsets were set with Kafka's tools before. So a run that is killed between its first
  checkpoint and its first commit leaves a group that says that nothing was committed.
- After each commit the folder notes the id of the committed checkpoint. If the offsets have lost
  their metadata, the note says what was committed, and that a newer checkpoint was not. A run that
  is killed between commit and note leaves an older note: the next start corrects the note, as the
  offsets name the checkpoint.
- Up to version 0.2 there was no note, and no first commit if the offsets had been set before. The
  only checkpoint of such a folder was not committed if it holds exactly the records from the
  group's offsets on: a commit would have moved the offsets past them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from consumer.checkpoints.manifest import BrokenCheckpointError, Manifest
from consumer.checkpoints.note import last_noted
from consumer.checkpoints.store import CheckpointStore
from consumer.commit.group import Group
from consumer.kafka.offsets import checkpoint_id
from consumer.kafka.topic_state import TopicState
from newsreel.common.errors import UserError

NEW_HISTORY = "begin a new history with another --group and --checkpoint-dir"

log = structlog.get_logger()


class GroupError(UserError):
    """The committed offsets of the group and the checkpoints do not belong together."""


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where a run begins."""

    positions: Mapping[int, int]
    """Next offset to read, by partition."""
    checkpoint: str | None
    """Id of the checkpoint to restore; None if nothing was learned yet."""
    moved: bool = False
    """Whether the positions are others than those of the checkpoint."""
    lost: int = 0
    """Number of records that were learned and are no longer in the topic."""


def starting_point(
    group: Group,
    state: TopicState,
    store: CheckpointStore,
    *,
    keep_model: bool = False,
    skip_lost: bool = False,
) -> StartingPoint:
    """Return where a run begins.

    Parameters
    ----------
    group
        Group and its commits.
    state
        Topic as it is now.
    store
        Checkpoints of the group on the topic.
    keep_model
        Whether to go on with what was learned at other offsets than those of the checkpoint.
    skip_lost
        Whether to go on at the end of a partition that has lost records that were learned.

    Raises
    ------
    GroupError
        The named checkpoint is missing, or the offsets are not those of the checkpoint.
    """
    if keep_model and state.leaderless:
        raise GroupError(
            f"--keep-model needs the offsets of all partitions, and topic {group.topic!r} has"
            f" partitions without a leader ({', '.join(map(str, sorted(state.leaderless)))}); start"
            " their brokers first"
        )
    id_ = checkpoint_id(group.committed)
    if id_ is None:
        id_ = _last_committed(group, store)
        if id_ is None:
            return StartingPoint(_first_positions(group, state, keep_model=keep_model), None)
        manifest = Manifest.read(store.folder / id_)
    elif id_ not in store.ids():
        raise GroupError(
            f"group {group.name!r} stopped at checkpoint {id_}, which is missing; name its folder"
            f" with --checkpoint-dir, or {NEW_HISTORY}"
        )
    else:
        try:
            manifest = Manifest.read(store.folder / id_)
        except BrokenCheckpointError:  # `restore` goes back to the checkpoint before
            return StartingPoint({**state.beginnings, **group.offsets}, id_)
    truncated = _truncated(group, state, manifest)
    problem = _problem(group, state, manifest, truncated)
    if problem is None:
        positions = {**state.beginnings, **group.offsets}
        return _after_truncation(positions, truncated, manifest, group.topic, skip_lost=skip_lost)
    if not keep_model:
        raise GroupError(problem)
    positions = {**_kept_positions(group, state, manifest), **truncated}
    log.warning("the model is kept, at other offsets", checkpoint=id_, positions=positions)
    return StartingPoint(positions, id_, moved=True)


def _truncated(group: Group, state: TopicState, manifest: Manifest) -> dict[int, int]:
    """Return where partitions end now that have lost records of the same topic."""
    if _is_another(state, manifest) is not False:
        return {}
    gone = group.partitions_gone(state, manifest)
    return {partition: state.ends[partition] for partition in gone if partition in state.ends}


def _after_truncation(
    positions: Mapping[int, int],
    truncated: Mapping[int, int],
    manifest: Manifest,
    topic: str,
    *,
    skip_lost: bool,
) -> StartingPoint:
    """Return where to go on after an unclean leader election, if there was one.

    Raises
    ------
    GroupError
        There was one, and lost records are not to be skipped.
    """
    if not truncated:
        return StartingPoint(positions, manifest.id)
    ends = ", ".join(
        f"partition {partition} now ends at {end}, before position {positions[partition]}"
        for partition, end in truncated.items()
    )
    what = f"records of topic {topic!r} were lost by an unclean leader election: {ends}"
    if not skip_lost:
        raise GroupError(
            f"{what}, up to which checkpoint {manifest.id} was learned. To go on from there with"
            f" what was learned, and count them, start with --lost-offsets continue, or"
            f" {NEW_HISTORY}"
        )
    lost = sum(positions[partition] - end for partition, end in truncated.items())
    log.error("records lost", reason=what, records=lost)
    return StartingPoint({**positions, **truncated}, manifest.id, moved=True, lost=lost)


def _last_committed(group: Group, store: CheckpointStore) -> str | None:
    """Return the checkpoint that a group without named offsets has committed last, or None."""
    ids, noted = store.ids(), last_noted(store.folder)
    if not ids or group.fresh or noted == "" or (noted is None and _is_uncommitted(group, store)):
        if ids:
            log.warning("no checkpoint was ever committed, nothing is restored", found=ids)
        return None
    return noted if noted in ids else ids[-1]


def _is_uncommitted(group: Group, store: CheckpointStore) -> bool:
    """Return whether the only checkpoint holds exactly the records from the group's offsets on."""
    (newest, *others) = reversed(store.ids())
    manifest = Manifest.read(store.folder / newest)
    read = {p: end - group.offsets.get(int(p), end) for p, end in manifest.positions.items()}
    enough = min(read.values(), default=0) >= 0 and manifest.documents > 0
    return not others and enough and sum(read.values()) == manifest.documents


def _first_positions(group: Group, state: TopicState, *, keep_model: bool) -> Mapping[int, int]:
    """Return where a group begins that has learned nothing."""
    if not group.committed:
        return state.first
    kept = {
        partition: offset
        for partition, offset in group.offsets.items()
        if not keep_model or offset <= state.ends.get(partition, 0)
    }
    return {**state.beginnings, **kept}


def _is_another(state: TopicState, manifest: Manifest) -> bool | None:
    """Return whether the topic is another than that of a checkpoint; None if no id says so."""
    if state.id is None or manifest.topic_id is None:
        return None
    return state.id != manifest.topic_id


def _problem(
    group: Group, state: TopicState, manifest: Manifest, truncated: Mapping[int, int]
) -> str | None:
    """Return why the topic can't be read on from a checkpoint; None if it can."""
    ways = (
        "start with --keep-model to go on with what was learned from the offsets of the group,"
        f" or {NEW_HISTORY}"
    )
    gone = [each for each in group.partitions_gone(state, manifest) if each not in truncated]
    if _is_another(state, manifest) or gone:
        evidence = f" (partition {', '.join(map(str, gone))} ends before)" if gone else ""
        return (
            f"topic {group.topic!r} is not the one that checkpoint {manifest.id} was learned from"
            f"{evidence}: it was deleted and created again, or is a copy; {ways}. A new topic is"
            " then read from its beginning, or as --from says, where no offsets were set for it"
        )
    offsets = group.offsets
    moved = [p for p, offset in manifest.positions.items() if offsets.get(int(p)) != offset]
    if not moved:
        return None
    if not offsets:
        return (
            f"the folder holds checkpoints, but group {group.name!r} has committed none of them on"
            f" topic {group.topic!r}, or its offsets have expired; {ways}"
        )
    return (
        f"the offsets of group {group.name!r} were moved since checkpoint {manifest.id} (partition"
        f" {', '.join(moved)}); move them back to continue there, {ways}"
    )


def _kept_positions(group: Group, state: TopicState, manifest: Manifest) -> Mapping[int, int]:
    """Return where to go on with what was learned.

    - At the offset of the group. On another topic, an offset that was committed with the checkpoint
      belongs to the old topic, and does not count.
    - Without such an offset, at the position of the checkpoint if the topic is surely the same.
    - Else where a new group begins.
    """
    another = _is_another(state, manifest)
    new = another or bool(group.partitions_gone(state, manifest))
    positions = {}
    for partition, first in state.first.items():
        offset = group.offsets.get(partition)
        if new and group.has_own_offset(manifest, partition):
            offset = None
        if offset is None and another is False:
            offset = manifest.positions.get(str(partition), state.beginnings[partition])
        exists = offset is not None and offset <= state.ends[partition]
        # Records that were deleted before an offset are the poller's to report.
        positions[partition] = offset if offset is not None and exists else first
    return positions
