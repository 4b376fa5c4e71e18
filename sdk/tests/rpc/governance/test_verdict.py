"""Refusals become errors of the tree, and errors outcomes."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang.rpc import errors as failures
from qiantang.rpc.governance.verdict import Outcome, Refusal, outcome_of


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (failures.CancelledError("x"), Outcome.CANCELLED),
        (failures.OverloadedError("x"), Outcome.OVERLOAD),
        (failures.LimitedError("x"), Outcome.BUSINESS),
        (failures.DeadlineError("x"), Outcome.TIMEOUT),
        (failures.NodeAwayError("x"), Outcome.UNAVAILABLE),
        (failures.DrainingError("x"), Outcome.UNAVAILABLE),
        (failures.ConnectionLostError("x"), Outcome.UNAVAILABLE),
        (failures.FailedError("x"), Outcome.INTERNAL),
        (failures.ServiceError("x"), Outcome.BUSINESS),
        (errors.NotFoundError("x"), Outcome.BUSINESS),
        (failures.InvalidArgumentsError("x"), Outcome.BUSINESS),
    ],
)
def test_an_error_says_how_the_call_ended(error: errors.QiantangError, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("limit", failures.LimitedError),
        ("circuit", failures.CircuitOpenError),
        ("overload", failures.OverloadedError),
        ("fault", failures.InjectedError),
        ("access", failures.NotSubscribedError),
    ],
)
def test_a_refusal_is_an_error_that_was_not_processed(kind: str, expected: type[errors.QiantangError]) -> None:
    error = Refusal(kind, "slow-orders", "too much", 1.5).error()
    assert type(error) is expected
    assert error.retry_after == 1.5
    assert "slow-orders" in error.detail
    assert "too much" in error.detail
    assert not failures.was_processed(error)
