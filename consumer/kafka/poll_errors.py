"""Say why reading ends, and what to do."""

from kafka.errors import KafkaError, TopicAuthorizationFailedError

from newsreel.common.errors import UserError
from newsreel.common.kafka_errors import explain


class PollError(UserError):
    """Records of the topic are no longer readable."""


def refused(error: KafkaError, topic: str, user: str | None) -> PollError:
    """Return what to do about an error whose cause does not pass.

    Parameters
    ----------
    error
        Error of the client.
    topic
        Topic that is read.
    user
        User as which the client has signed in, if there is one.
    """
    who = f"user {user!r}" if user else "this consumer"
    if isinstance(error, TopicAuthorizationFailedError):
        return PollError(
            f"{who} may no longer read topic {topic!r}: grant the rights Read and Describe on the"
            " topic, and start again, to continue from the last commit"
        )
    return PollError(
        f"the broker refuses to let {who} read topic {topic!r}: {explain(error)}. Nothing is"
        " lost; the next start continues from the last commit"
    )


def unreadable(place: str, error: BaseException | None) -> PollError:
    """Return what to do about records that no client can read.

    Parameters
    ----------
    place
        Topic, partition and offset.
    error
        Error of the client.
    """
    what = " ".join(str(error).split()) or type(error).__name__
    return PollError(
        f"{place} can't be read: {what}; nothing is lost. Repair the log of that partition, or move"
        " the offset of the group past this place with Kafka's tools and start with --keep-model"
    )
