"""The table of Kafka's errors: each is in one half, with words for people."""

import inspect
from pathlib import Path

import pytest
from kafka import errors
from kafka.errors import KafkaError

from newsreel.common.creation import FewBrokersError, TopicCreationError
from newsreel.common.errors_that_heal import HEALS
from newsreel.common.errors_that_stay import NEVER_HEALS
from newsreel.common.kafka import BrokerUnreachableError, CertificateError, SignInError
from newsreel.common.kafka_errors import cause, explain, heals

KINDS = {
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, KafkaError)
}


def test_each_error_is_in_one_half() -> None:
    """The table has each error class of the client, in one of its halves."""
    assert set(HEALS) | set(NEVER_HEALS) == KINDS
    assert not set(HEALS) & set(NEVER_HEALS)


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: kind.__name__))
def test_each_error_is_explained(kind: type[KafkaError]) -> None:
    """Each error is explained in one line; one that never heals says what to change."""
    error = kind({"x"}) if kind is errors.LogTruncationError else kind()
    words = explain(error)
    assert "\n" not in words
    if kind in NEVER_HEALS:
        assert "; " in NEVER_HEALS[kind]
        assert kind.__name__ in words
        assert not heals(error)
    else:
        assert heals(error)


@pytest.mark.parametrize(
    "kind",
    [
        errors.KafkaConnectionError,
        errors.InvalidReplicationFactorError,
        errors.UnknownTopicOrPartitionError,
        errors.RequestTimedOutError,
        errors.CoordinatorNotAvailableError,
        errors.NotEnoughReplicasError,
        errors.KafkaStorageError,
        errors.ProducerFencedError,
        errors.InvalidProducerIdMappingError,
    ],
)
def test_what_a_brokers_death_causes_heals(kind: type[KafkaError]) -> None:
    """What a client hears while brokers are away or change is tried again."""
    assert heals(kind())


@pytest.mark.parametrize(
    "phrase",
    [
        "Unexpected error in InitProducerIdResponse: {}",
        "Could not execute transactional request for unknown reasons: {}",
        "Cannot execute transactional method because we are in an error state: KafkaError: {}",
    ],
)
@pytest.mark.parametrize(
    "inner",
    [
        errors.InvalidTransactionTimeoutError(),
        errors.RequestTimedOutError("Request timed out after 10000 ms"),
        errors.TransactionalIdAuthorizationFailedError(),
    ],
)
def test_errors_inside_of_phrases(phrase: str, inner: KafkaError) -> None:
    """An error that the client wraps in a phrase of its own is found there."""
    error = KafkaError(phrase.format(inner))
    assert type(cause(error)) is type(inner)
    assert heals(error) == heals(inner)


def test_errors_inside_of_errors() -> None:
    """An error that the client wraps in a general one is found there; other phrases stay."""
    inner = errors.InvalidTxnStateError()
    assert cause(KafkaError(inner)) is inner
    other = KafkaError("Something else")
    assert cause(other) is other
    assert explain(other).endswith("(KafkaError: Something else)")
    assert heals(other)


def test_error_codes_that_the_client_does_not_know() -> None:
    """An error of a newer broker is tried again, as nothing says that it stays."""
    error = errors.for_code(9999)("new")
    assert heals(error)
    assert "its log says more ([Error 9999] UnrecognizedBrokerError: new)" in explain(error)


def test_errors_name_topics() -> None:
    """The topics that an error is about are named."""
    error = errors.TopicAuthorizationFailedError({"b", "a"})
    assert explain(error).endswith("(TopicAuthorizationFailedError: a, b)")


def test_other_errors() -> None:
    """Failures of the network heal, mistakes in the program do not."""
    assert heals(ConnectionRefusedError())
    assert not heals(ValueError())
    assert explain(OSError("two\nlines")) == "two lines"


def test_errors_for_the_user() -> None:
    """An error for the user knows whether it heals, and explains itself."""
    assert all(heals(kind("x")) for kind in (BrokerUnreachableError, FewBrokersError))
    assert not any(heals(kind("x")) for kind in (CertificateError, SignInError, TopicCreationError))
    assert explain(SignInError("x")) == "x"


def test_the_runbook_has_the_words() -> None:
    """The runbook has a row for each wait and each refusal."""
    runbook = " ".join(Path("docs/runbook.md").read_text().split())
    words = {*HEALS.values(), *(words.partition(";")[0] for words in NEVER_HEALS.values())}
    assert {each for each in words if each not in runbook} == set()
