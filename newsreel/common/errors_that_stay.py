"""List the errors of Kafka that never heal: the second half of the table of errors."""

from collections.abc import Mapping

from kafka import errors
from kafka.errors import KafkaError

_RIGHTS = "docs/deployment.md lists the rights"

_MEMBERS = (
    "another program is a member of the group; give newsreel a --group that no other program uses"
)

_SIGN_IN = "the user can't sign in; check the options --sasl-..., or the variables KAFKA_SASL_..."

_OLD = "the broker lacks a request that newsreel needs; use Apache Kafka 2.5 or later"

_POSITION = "the topic has no record at the position; --lost-offsets says how to go on"

_RECORD = "the topic does not accept a record; compare cleanup.policy and message.* of the topic"

_BUG = "the client and the broker do not understand each other; report this as a bug of newsreel"

_ADMINISTRATION = "the cluster refuses a change; ask its administrator"

NEVER_HEALS: Mapping[type[KafkaError], str] = {
    errors.TopicAuthorizationFailedError: (
        "the user lacks a right to a topic; allow the user to describe, read and write the topic,"
        f" or to create it: {_RIGHTS}"
    ),
    errors.GroupAuthorizationFailedError: (
        f"the user lacks the right to the group; allow the user to read the group: {_RIGHTS}"
    ),
    errors.ClusterAuthorizationFailedError: (
        "the user lacks a right to the cluster; allow the user to create topics or to write"
        f" idempotently: {_RIGHTS}"
    ),
    errors.TransactionalIdAuthorizationFailedError: (
        "the user lacks the right to the transactional id; allow the user to write and describe the"
        f" id that begins with newsreel/: {_RIGHTS}"
    ),
    **dict.fromkeys(
        (errors.AuthorizationError, errors.DelegationTokenAuthorizationFailedError),
        f"the user lacks a right; {_RIGHTS}",
    ),
    **dict.fromkeys(
        (
            errors.SaslAuthenticationFailedError,
            errors.UnsupportedSaslMechanismError,
            errors.IllegalSaslStateError,
            errors.SecurityDisabledError,
            errors.UnacceptableCredentialError,
            errors.InvalidPrincipalTypeError,
            errors.PrincipalDeserializationFailureError,
            errors.DelegationTokenAuthDisabledError,
            errors.DelegationTokenNotFoundError,
            errors.DelegationTokenOwnerMismatchError,
            errors.DelegationTokenRequestNotAllowedError,
            errors.DelegationTokenExpiredError,
        ),
        _SIGN_IN,
    ),
    errors.InvalidTransactionTimeoutError: (
        "the broker allows no transaction that is long enough; set transaction.max.timeout.ms of"
        " the brokers to 30000 or more"
    ),
    **dict.fromkeys(
        (
            errors.IncompatibleBrokerVersion,
            errors.UnsupportedVersionError,
            errors.UnrecognizedBrokerVersion,
            errors.UnsupportedForMessageFormatError,
        ),
        _OLD,
    ),
    errors.InvalidTopicError: "the topic has a name that Kafka does not allow; name another",
    errors.PolicyViolationError: (
        "a policy of the cluster forbids the topic; create it as the policy asks for, with Kafka's"
        " own tools"
    ),
    **dict.fromkeys(
        (
            errors.InvalidPartitionsError,
            errors.InvalidReplicationAssignmentError,
            errors.InvalidConfigurationError,
        ),
        "the cluster does not allow the topic's settings; create the topic with Kafka's own tools",
    ),
    errors.TopicAlreadyExistsError: "the topic exists already; start again",
    errors.MessageSizeTooLargeError: (
        "a record is larger than the topic accepts; raise max.message.bytes of the topic"
    ),
    errors.RecordListTooLargeError: (
        "records are larger than a segment of the topic; raise segment.bytes of the topic"
    ),
    errors.InvalidTimestampError: (
        "the topic does not accept the time of a record; raise message.timestamp.before.max.ms and"
        " message.timestamp.after.max.ms of the topic"
    ),
    errors.InvalidRecordError: _RECORD,
    **dict.fromkeys(
        (errors.UnsupportedCompressionTypeError, errors.UnsupportedCodecError),
        "the compression of the topic is not supported; set compression.type of the topic to gzip",
    ),
    **dict.fromkeys(
        (errors.OffsetMetadataTooLargeError, errors.InvalidCommitOffsetSizeError),
        "the broker refuses the metadata of offsets; set offset.metadata.max.bytes of the brokers"
        " to 4096",
    ),
    errors.InvalidGroupIdError: "Kafka does not allow this name of a group; name another --group",
    **dict.fromkeys(
        (
            errors.CommitFailedError,
            errors.IllegalGenerationError,
            errors.UnknownMemberIdError,
            errors.MemberIdRequiredError,
            errors.FencedInstanceIdError,
            errors.FencedMemberEpochError,
            errors.StaleMemberEpochError,
            errors.UnreleasedInstanceIdError,
            errors.GroupMaxSizeReachedError,
            errors.InconsistentGroupProtocolError,
            errors.UnsupportedAssignorError,
            errors.InvalidSessionTimeoutError,
            errors.NonEmptyGroupError,
            errors.GroupIdNotFoundError,
            errors.GroupSubscribedToTopicError,
        ),
        _MEMBERS,
    ),
    **dict.fromkeys(
        (
            errors.OffsetOutOfRangeError,
            errors.NoOffsetForPartitionError,
            errors.LogTruncationError,
            errors.OffsetMovedToTieredStorageError,
            errors.PositionOutOfRangeError,
        ),
        _POSITION,
    ),
    **dict.fromkeys(
        (
            errors.IllegalArgumentError,
            errors.KafkaConfigurationError,
            errors.InvalidRequestError,
            errors.InvalidFetchRequestError,
            errors.InvalidRequiredAcksError,
            errors.InvalidRecordStateError,
            errors.FencedStateEpochError,
            errors.TelemetryTooLargeError,
            errors.MismatchedEndpointTypeError,
            errors.UnsupportedEndpointTypeError,
        ),
        _BUG,
    ),
    **dict.fromkeys(
        (
            errors.LogDirNotFoundError,
            errors.TopicDeletionDisabledError,
            errors.NoReassignmentInProgressError,
            errors.ResourceNotFoundError,
            errors.DuplicateResourceError,
            errors.InconsistentVoterSetError,
            errors.InvalidUpdateVersionError,
            errors.FeatureUpdateFailedError,
            errors.SnapshotNotFoundError,
            errors.DuplicateBrokerRegistrationError,
            errors.InconsistentClusterIdError,
            errors.InvalidRegistrationError,
            errors.InvalidVoterKeyError,
            errors.DuplicateVoterError,
            errors.VoterNotFoundError,
        ),
        _ADMINISTRATION,
    ),
}
"""Errors that stay until somebody changes a setting or a right, and what to change."""
