"""Degrade: which errors it is for, and that what is kept has an end in number, bytes and time."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang.rpc import errors as failures
from qiantang.rpc.governance.degrade import ENTRY_BYTES, Degrade, why_of
from qiantang.rpc.model.rules import DegradeRule


class SoldOutError(failures.ServiceError):
    """An answer."""

    code = "test.degrade_sold_out"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (failures.DeadlineError("late"), "timeout"),
        (failures.NodeAwayError("away"), "unavailable"),
        (failures.ConnectionLostError("lost"), "unavailable"),
        (failures.DrainingError("leaves"), "unavailable"),
        (failures.OverloadedError("much"), "overload"),
        (failures.FailedError("broken"), "internal"),
        (failures.LimitedError("often"), "limit"),
        (failures.CircuitOpenError("open"), "circuit"),
        (failures.InjectedError("on purpose"), "fault"),
        (failures.UnknownServiceError("none"), "no_node"),
        (failures.UnknownMethodError("old"), "no_node"),
        (failures.InvalidArgumentsError("wrong"), ""),
        (failures.NotSubscribedError("who"), ""),
        (failures.CancelledError("given up"), ""),
        (errors.NotFoundError("no such order"), ""),
        (errors.ConflictError("changed"), ""),
        (errors.ForbiddenError("not for you"), ""),
        (SoldOutError("no tea"), ""),
    ],
)
def test_only_what_is_no_answer_of_the_service_is_answered_instead(error: errors.QiantangError, why: str) -> None:
    assert why_of(error) == why


def last_good(**more: int) -> Degrade:
    return Degrade("r", DegradeRule(how="last_good", **more))


def test_answers_are_kept_for_a_time_and_no_longer() -> None:
    degrade = last_good(age=10)
    degrade.remember(0.0, b"k", b"answer")
    assert degrade.last_good(10.0, b"k") == b"answer"
    assert degrade.last_good(1.0, b"other") is None
    assert degrade.last_good(10.1, b"k") is None
    assert len(degrade) == 0, "what is too old is dropped"


def test_so_many_are_kept_and_what_was_of_no_use_for_longest_goes_first() -> None:
    degrade = last_good(entries=2)
    for number, key in enumerate((b"a", b"b")):
        degrade.remember(number, key, key)
    assert degrade.last_good(2.0, b"a") == b"a"
    degrade.remember(3.0, b"c", b"c")
    assert [degrade.last_good(3.0, key) for key in (b"a", b"b", b"c")] == [b"a", None, b"c"]
    degrade.configure(DegradeRule(how="last_good", entries=1))
    assert len(degrade) == 1


def test_their_bytes_have_a_bound_and_one_large_answer_does_not_drive_out_all_others() -> None:
    degrade = last_good(size=4096)
    for number in range(100):
        degrade.remember(0.0, b"%d" % number, b"x" * 500)
    assert len(degrade) == 4096 // (2 + 500 + ENTRY_BYTES)
    degrade.remember(0.0, b"large", b"x" * 1025)
    assert degrade.last_good(0.0, b"large") is None
    assert degrade.last_good(0.0, b"99") == b"x" * 500
    for _ in range(100):
        degrade.remember(0.0, b"99", b"y" * 500)
    assert len(degrade) == 4096 // (2 + 500 + ENTRY_BYTES), "an answer that takes the place of another is counted once"


def test_another_way_forgets_what_was_kept_and_not_what_was_counted() -> None:
    degrade = last_good()
    degrade.remember(0.0, b"k", b"answer")
    degrade.count("timeout")
    degrade.configure(DegradeRule(how="last_good", age=5))
    assert degrade.last_good(1.0, b"k") == b"answer"
    degrade.configure(DegradeRule(how="fallback"))
    degrade.remember(1.0, b"k", b"answer")
    degrade.configure(DegradeRule(how="last_good"))
    assert degrade.last_good(1.0, b"k") is None
    assert degrade.answered == {"timeout": 1}
