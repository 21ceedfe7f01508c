"""List the errors of Kafka that heal by themselves: the first half of the table of errors."""

from collections.abc import Mapping

from kafka import errors
from kafka.errors import KafkaError

_RENEWED = "the transaction must be opened again"

_AWAY = "a broker can't be reached"

_SILENT = "a broker does not answer in time"

_LEADER = "a partition has no leader, or gets another one"

_ELECTION = "the brokers elect a controller"

_REPLICAS = "fewer replicas are in sync than min.insync.replicas of the topic asks for"

_COORDINATOR = "the coordinator of the group or of its transactions is not available"

_SESSION = "the broker has forgotten a session"

UNEXPECTED = "the broker reports an error of its own; its log says more"

_BUSY = "the cluster is busy with another change"

HEALS: Mapping[type[KafkaError], str] = {
    **dict.fromkeys(
        (
            errors.KafkaConnectionError,
            errors.NodeNotReadyError,
            errors.BrokerNotAvailableError,
            errors.UnknownBrokerIdError,
            errors.NetworkExceptionError,
            errors.Cancelled,
            errors.StaleBrokerEpochError,
            errors.BrokerIdNotRegisteredError,
        ),
        _AWAY,
    ),
    **dict.fromkeys(
        (
            errors.KafkaTimeoutError,
            errors.RequestTimedOutError,
            errors.TooManyInFlightRequests,
            errors.CorrelationIdError,
            errors.InvalidReceiveError,
        ),
        _SILENT,
    ),
    **dict.fromkeys(
        (
            errors.LeaderNotAvailableError,
            errors.NotLeaderForPartitionError,
            errors.ReplicaNotAvailableError,
            errors.ListenerNotFoundError,
            errors.PreferredLeaderNotAvailableError,
            errors.EligibleLeadersNotAvailableError,
            errors.ElectionNotNeededError,
            errors.FencedLeaderEpochError,
            errors.UnknownLeaderEpochError,
            errors.OffsetNotAvailableError,
            errors.NewLeaderElectedError,
            errors.IneligibleReplicaError,
            errors.InvalidMetadataError,
            errors.StaleMetadata,
        ),
        _LEADER,
    ),
    **dict.fromkeys(
        (
            errors.UnknownTopicOrPartitionError,
            errors.UnknownTopicIdError,
            errors.InconsistentTopicIdError,
        ),
        "the broker does not know the topic, or not yet",
    ),
    **dict.fromkeys(
        (
            errors.NotControllerError,
            errors.UnknownControllerIdError,
            errors.StaleControllerEpochError,
            errors.MetadataEmptyBrokerList,
        ),
        _ELECTION,
    ),
    **dict.fromkeys(
        (errors.NotEnoughReplicasError, errors.NotEnoughReplicasAfterAppendError), _REPLICAS
    ),
    errors.InvalidReplicationFactorError: "fewer brokers are there than a new topic has replicas",
    **dict.fromkeys(
        (
            errors.CoordinatorNotAvailableError,
            errors.CoordinatorLoadInProgressError,
            errors.NotCoordinatorError,
            errors.UnstableOffsetCommitError,
        ),
        _COORDINATOR,
    ),
    errors.ConcurrentTransactionsError: "the transaction before is still being completed",
    errors.ProducerFencedError: "another consumer has opened the transactions of the group",
    **dict.fromkeys(
        (
            errors.InvalidProducerEpochError,
            errors.InvalidProducerIdMappingError,
            errors.InvalidTxnStateError,
            errors.UnknownProducerIdError,
            errors.OutOfOrderSequenceNumberError,
            errors.DuplicateSequenceNumberError,
            errors.TransactionAbortedError,
            errors.TransactionAbortableError,
            errors.TransactionCoordinatorFencedError,
            errors.TransactionalIdNotFoundError,
            errors.OperationNotAttemptedError,
            errors.IllegalStateError,
        ),
        _RENEWED,
    ),
    **dict.fromkeys(
        (
            errors.FetchSessionIdNotFoundError,
            errors.InvalidFetchSessionEpochError,
            errors.FetchSessionTopicIdError,
            errors.ShareSessionNotFoundError,
            errors.InvalidShareSessionEpochError,
            errors.UnknownSubscriptionIdError,
        ),
        _SESSION,
    ),
    **dict.fromkeys(
        (errors.ThrottlingQuotaExceededError, errors.QuotaViolationError),
        "the user's quota is used up for now",
    ),
    **dict.fromkeys(
        (errors.KafkaStorageError, errors.CorruptRecordError), "a disk of a broker fails"
    ),
    **dict.fromkeys((errors.RebalanceInProgressError, errors.ReassignmentInProgressError), _BUSY),
    **dict.fromkeys(
        (
            KafkaError,  # kafka-python's own phrases; `cause` finds the class in most of them
            errors.RetriableError,
            errors.KafkaProtocolError,
            errors.BrokerResponseError,
            errors.UnknownError,  # also of error codes that kafka-python does not know
            errors.NoError,
        ),
        UNEXPECTED,
    ),
}
"""Errors that go away by themselves, and what newsreel says that it waits for."""
