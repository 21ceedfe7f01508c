"""Notice that a topic was deleted, or deleted and created again, while it is read."""

import structlog

from consumer.kafka.look import Look
from newsreel.common.errors import UserError

SURE_SECONDS = 10.0
"""Seconds after which brokers are believed: after a change, some know the old state for a while."""

log = structlog.get_logger()


class TopicGoneError(UserError):
    """The topic was deleted, or deleted and created again."""


class TopicIdentity:
    """Compares the topic that brokers have with the one that is read.

    Parameters
    ----------
    topic
        Name of the topic.
    id_
        Id of the topic that is read; None if it is not known yet, or if brokers give no ids.

    Attributes
    ----------
    problem
        What seems to have happened to the topic, or None.
    """

    def __init__(self, topic: str, id_: str | None) -> None:
        self.problem: str | None = None
        self._topic = topic
        self._id = id_
        self._since: float | None = None

    def check(self, look: Look) -> None:
        """Compare the topic with what brokers say.

        Raises
        ------
        TopicGoneError
            The brokers have said for `SURE_SECONDS` that the topic is gone, or another one.
        """
        problem = self._difference(look)
        if problem is None:
            self.problem, self._since = None, None
            self._id = self._id or look.id
            return
        if self._since is None or self.problem is None:
            log.warning("reading pauses", reason=problem)
            self._since = look.asked
        self.problem = problem
        if look.asked - self._since >= SURE_SECONDS:
            raise TopicGoneError(problem)

    def _difference(self, look: Look) -> str | None:
        if not look.partitions:
            return (
                f"topic {self._topic!r} is gone: it was deleted, or may no longer be described by"
                " this user; nothing that was learned is lost. Create the topic again and start"
                " again (a topic of documents: with --keep-model), or name another topic of"
                " documents with --topic, --group and --checkpoint-dir"
            )
        if self._id is not None and look.id is not None and look.id != self._id:
            return (
                f"topic {self._topic!r} was deleted and created again while it was read: start with"
                " --keep-model to read the new topic with what was learned, or begin a new history"
                " with another --group and --checkpoint-dir"
            )
        return None
