"""Compare the committed offsets of a consumer group with a topic and a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

from kafka import OffsetAndMetadata

from consumer.checkpoints.manifest import Manifest
from consumer.kafka.offsets import FRESH
from consumer.kafka.topic_state import TopicState


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group and its commits on a topic."""

    name: str
    topic: str
    committed: Mapping[int, OffsetAndMetadata]
    """Committed offsets by partition; a partition that the topic has gained since has none."""

    @property
    def offsets(self) -> dict[int, int]:
        """Committed offsets by partition."""
        return {partition: found.offset for partition, found in self.committed.items()}

    @property
    def fresh(self) -> bool:
        """Whether the last commit of newsreel was the one before any checkpoint."""
        return any(found.metadata == FRESH for found in self.committed.values())

    def has_own_offset(self, manifest: Manifest, partition: int) -> bool:
        """Return whether newsreel committed the offset of a partition, with the checkpoint."""
        found = self.committed.get(partition)
        own = found is not None and found.metadata not in {"", FRESH}
        return own and self.offsets[partition] == manifest.positions.get(str(partition))

    def partitions_gone(self, state: TopicState, manifest: Manifest) -> list[int]:
        """Return the partitions that end before an offset that newsreel committed, or are missing.

        Partitions without a leader are neither.
        """
        return [
            int(partition)
            for partition, position in manifest.positions.items()
            if int(partition) not in state.leaderless
            and position > state.ends.get(int(partition), -1)
            and (int(partition) not in state.ends or self.has_own_offset(manifest, int(partition)))
        ]
