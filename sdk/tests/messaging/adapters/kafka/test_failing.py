"""Failing: what librdkafka says, by our names; what was never sent is not called unknown."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from qiantang.kernel import errors
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.kafka import failing


@pytest.mark.parametrize(
    ("code", "verdict", "error"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, "refused", messaging_errors.BodyTooLargeError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "refused", messaging_errors.UnknownTopicError),
        (KafkaError._UNKNOWN_PARTITION, "refused", messaging_errors.UnknownTopicError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "refused", messaging_errors.SendForbiddenError),
        (KafkaError._PURGE_QUEUE, "refused", messaging_errors.BrokerAwayError),
        (KafkaError._PURGE_INFLIGHT, "unknown", messaging_errors.OutcomeUnknownError),
        (KafkaError._MSG_TIMED_OUT, "unknown", messaging_errors.OutcomeUnknownError),
        (KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, "unknown", messaging_errors.OutcomeUnknownError),
    ],
)
def test_outcomes(code: int, verdict: str, error: type[Exception]) -> None:
    found = failing.outcome(KafkaError(code), "t")
    assert (found.verdict, type(found.error)) == (verdict, error)
    assert failing.never(KafkaError(code), "t").verdict == "refused"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, messaging_errors.UnknownTopicError),
        (KafkaError.SASL_AUTHENTICATION_FAILED, errors.UnauthenticatedError),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, messaging_errors.ConsumeForbiddenError),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, errors.ForbiddenError),
        (KafkaError._ALL_BROKERS_DOWN, messaging_errors.BrokerAwayError),
    ],
)
def test_names(code: int, error: type[Exception]) -> None:
    said = KafkaError(code)
    assert type(failing.named(said, "testing")) is error
    assert type(failing.named(KafkaException(said), "testing")) is error
    assert failing.is_refusal(said) == (error is errors.UnauthenticatedError)
