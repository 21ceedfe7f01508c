"""Tell which errors of Kafka heal by themselves, and what to change where one does not.

The two halves of the table have each error class of kafka-python, with newsreel's own words.
kafka-python's flag ``retriable`` does not decide: it is false for errors that a restarting broker
causes, such as `InvalidReplicationFactorError`.
"""

import re

from kafka import errors
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from newsreel.common.errors import UserError
from newsreel.common.errors_that_heal import HEALS, UNEXPECTED
from newsreel.common.errors_that_stay import NEVER_HEALS

NAME = re.compile(r"\b[A-Z]\w+")


def cause(error: BaseException) -> BaseException:
    """Return the error that a general error of kafka-python wraps; the error itself otherwise.

    The client often raises a `KafkaError` whose text has the class of what happened, such as
    "Unexpected error in InitProducerIdResponse: [Error 50] InvalidTransactionTimeoutError".
    """
    if type(error) is not KafkaError:
        return error
    if error.args and isinstance(error.args[0], KafkaError):
        return cause(error.args[0])
    for name in reversed(NAME.findall(str(error))):
        found = getattr(errors, name, None)
        if isinstance(found, type) and issubclass(found, KafkaError) and found is not KafkaError:
            return found(str(error))
    return error


def heals(error: BaseException) -> bool:
    """Return whether a failed request to Kafka may succeed when it is tried again."""
    if isinstance(error, UserError):
        return error.heals
    if isinstance(error, KafkaError):
        return _known(cause(error)) in HEALS
    return isinstance(error, OSError)


def explain(error: BaseException) -> str:
    """Say in newsreel's words what is wrong, and what to change if the error never heals."""
    if isinstance(error, UserError):
        return str(error)
    found = cause(error)
    if not isinstance(found, KafkaError):
        return " ".join(str(found).split()) or type(found).__name__
    known = _known(found)
    if known in NEVER_HEALS:
        return f"{NEVER_HEALS[known]} ({_detail(found)})"
    if known is UnknownTopicOrPartitionError and (names := _names(found)):
        return f"{HEALS[known]} ({', '.join(names)})"
    unexpected = HEALS[known] is UNEXPECTED
    return f"{UNEXPECTED} ({' '.join(str(found).split())})" if unexpected else HEALS[known]


def _known(error: BaseException) -> type[KafkaError]:
    """Return the nearest class of an error that the table has."""
    return next(kind for kind in type(error).__mro__ if kind in HEALS or kind in NEVER_HEALS)


def _detail(error: KafkaError) -> str:
    """Return the class of an error, with the names that it is about."""
    names = _names(error)
    return ": ".join([type(error).__name__, *([", ".join(names)] if names else [])])


def _names(error: KafkaError) -> list[str]:
    """Return the names that an error is about, such as those of topics."""
    about = error.args[0] if error.args else ()
    found = sorted(map(str, about)) if isinstance(about, set | frozenset) else [about]
    return [name for name in found if isinstance(name, str) and re.fullmatch(r"[\w.-]+", name)]
