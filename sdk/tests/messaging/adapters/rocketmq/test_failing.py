"""Failing: what RocketMQ answers, by our names."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.rocketmq import failing
from qiantang.messaging.adapters.rocketmq.wire import Command, Header


def answer(code: int, remark: str | None = "why") -> Command:
    return Command(Header(code=code, flag=1, remark=remark), b"")


@pytest.mark.parametrize(
    ("code", "remark", "kind"),
    [
        (1, "java.lang.Exception", messaging_errors.BrokerAwayError),
        (2, "[TIMEOUT_CLEAN_QUEUE]broker busy", messaging_errors.BrokerAwayError),
        (3, "request type 106 not supported", messaging_errors.FeatureMissingError),
        (14, None, messaging_errors.BrokerAwayError),
        (16, "the topic may not be read", errors.ForbiddenError),
        (16, "check signature failed.", errors.UnauthenticatedError),
        (16, "User:nobody is not found.", errors.UnauthenticatedError),
        (16, "username cannot be null.", errors.UnauthenticatedError),
        (16, "User:me has no permission to access Topic:t", errors.ForbiddenError),
        (17, "topic not exist", messaging_errors.UnknownTopicError),
        (26, "group not exist", messaging_errors.UnknownTopicError),
    ],
)
def test_refusals(code: int, remark: str | None, kind: type[errors.QiantangError]) -> None:
    found = failing.named(answer(code, remark), "doing it")
    assert type(found) is kind
    assert f"(code {code})" in str(found)
    assert "doing it" in str(found)


@pytest.mark.parametrize(
    ("code", "remark", "verdict", "kind"),
    [
        (10, None, "unknown", messaging_errors.OutcomeUnknownError),
        (12, None, "unknown", messaging_errors.OutcomeUnknownError),
        (13, "msg body size is over", "refused", messaging_errors.BodyTooLargeError),
        (13, "illegal", "refused", messaging_errors.InvalidMessageError),
        (16, "no", "refused", messaging_errors.SendForbiddenError),
        (17, "no", "refused", messaging_errors.UnknownTopicError),
        (14, "no", "refused", messaging_errors.BrokerAwayError),
    ],
)
def test_what_becomes_of_messages(
    code: int, remark: str | None, verdict: str, kind: type[errors.QiantangError]
) -> None:
    found = failing.outcome(answer(code, remark), "t")
    assert (found.verdict, type(found.error)) == (verdict, kind)
    assert found.may_pass == (kind in (messaging_errors.OutcomeUnknownError, messaging_errors.BrokerAwayError))
