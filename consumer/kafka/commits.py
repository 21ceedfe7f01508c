"""Define what commits records and offsets, and how a commit can fail for good."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from kafka import OffsetAndMetadata

from consumer.kafka.outbox import Outgoing
from consumer.kafka.sending import RefusalObserver
from newsreel.common.errors import UserError


class SupersededError(UserError):
    """Another consumer has taken over the group."""


class RefusedError(UserError):
    """The broker refuses a commit."""


class AbandonedError(UserError):
    """The broker did not accept a commit before the consumer had to end."""


class CommitRetryObserver(RefusalObserver, Protocol):
    """Counts what happens to commits; called by the thread that commits."""

    def commit_retried(self) -> None:
        """Count a commit that failed at the broker."""
        ...


class Commits(Protocol):
    """Commits records and offsets of a consumer group."""

    problem: str | None
    """Why the last attempt of a commit failed; None if it succeeded, or is the first."""

    def begin(self, seconds: float | None = None) -> Mapping[int, OffsetAndMetadata]:
        """Connect, trying again while the broker is away; returns the committed offsets."""
        ...

    def commit(
        self,
        records: Sequence[Outgoing],
        positions: Mapping[int, int],
        id_: str,
        exists: Callable[[], bool] = lambda: True,
    ) -> None:
        """Commit records and positions, trying again while the broker is away."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def superseded(group: str) -> SupersededError:
    """Build the error of a consumer from which another one has taken over."""
    return SupersededError(
        f"another consumer has taken over group {group!r}; this consumer has committed nothing"
        " since: start it again to stand by"
    )


def abandoned(task: str, reason: str | None) -> AbandonedError:
    """Build the error of a commit that the broker did not accept before the consumer had to end."""
    return AbandonedError(
        f"the broker did not accept {task} ({reason}); start again: documents since the last commit"
        " will be learned again"
    )
