"""Failing: what librdkafka says went wrong, by our names."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from qiantang.kernel import errors
from qiantang.messaging.errors import (
    BodyTooLargeError,
    BrokerAwayError,
    ConsumeForbiddenError,
    OutcomeUnknownError,
    SendForbiddenError,
    UnknownTopicError,
)
from qiantang.messaging.port import SendOutcome

_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_MSG_SIZE}
_UNKNOWN_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
_FORBIDDEN = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}
_FORBIDDEN_GROUP = {KafkaError.GROUP_AUTHORIZATION_FAILED}
_UNAUTHENTICATED = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}
_NEVER_SENT = {KafkaError._PURGE_QUEUE, KafkaError._QUEUE_FULL, KafkaError._STATE}


def outcome(error: KafkaError, topic: str) -> SendOutcome:
    """Say what became of a message that was not delivered."""
    code = error.code()
    if code in _TOO_LARGE:
        return SendOutcome.refused(
            BodyTooLargeError(f"Kafka takes no message so large on topic {topic}: {error.str()}")
        )
    if code in _UNKNOWN_TOPIC:
        return SendOutcome.refused(UnknownTopicError(f"Kafka has no topic {topic!r}, or not so many partitions of it"))
    if code in _FORBIDDEN:
        return SendOutcome.refused(SendForbiddenError(f"Kafka does not let us send to {topic}: {error.str()}"))
    if code in _NEVER_SENT:
        return SendOutcome.refused(BrokerAwayError(f"a message to {topic} was not sent: {error.str()}"))
    said = f"Kafka did not confirm a message to {topic}, which may be there: {error.str()}"
    return SendOutcome.unknown(OutcomeUnknownError(said))


def never(error: KafkaError, topic: str) -> SendOutcome:
    """Say why librdkafka did not even take a message."""
    found = outcome(error, topic)
    if found.verdict == "refused":
        return found
    return SendOutcome.refused(BrokerAwayError(f"a message to {topic} was not sent: {error.str()}"))


def is_refusal(error: KafkaError) -> bool:
    """Whether Kafka does not let us in, or is not who we take it for."""
    return error.code() in _UNAUTHENTICATED or error.code() == KafkaError._SSL


def misconfigured(error: KafkaException) -> errors.MisconfiguredError:
    """Give the error for settings that librdkafka does not take."""
    return errors.MisconfiguredError(f"Kafka's client does not take the address: {error.args[0].str()}")


def named(error: KafkaError | KafkaException, doing: str) -> errors.QiantangError:
    """Give an error of ours for what failed while `doing` something."""
    found = error if isinstance(error, KafkaError) else error.args[0]
    code = found.code()
    words = f"Kafka: {doing} failed: {found.str()}"
    if code in _UNKNOWN_TOPIC:
        return UnknownTopicError(words)
    if code in _UNAUTHENTICATED:
        return errors.UnauthenticatedError(words)
    if code in _FORBIDDEN_GROUP:
        return ConsumeForbiddenError(words)
    if code in _FORBIDDEN:
        return errors.ForbiddenError(words)
    return BrokerAwayError(words)
