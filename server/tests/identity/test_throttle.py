"""The throttle: a guesser gets slow, and nobody gets locked out by somebody else."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiantang.identity import errors as identity_errors
from qiantang.identity import model
from qiantang_server.identity.rules import throttle
from qiantang_server.identity.service import Caller
from qiantang_server.kernel import audit
from server.tests.identity.estate import PASSWORD, ROOT, Estate

HOUR = 3_600_000


class Gate:
    """The throttle as the service drives it, over a dictionary."""

    def __init__(self) -> None:
        self.buckets: dict[str, throttle.Bucket] = {}

    def wait(self, source: throttle.Source, now: int) -> int:
        return max(self.buckets.get(key, throttle.Bucket()).blocked_until - now for key in set(source.keys()))

    def attempt(self, source: throttle.Source, now: int, *, right: bool) -> bool:
        """Give whether the attempt was looked at."""
        if self.wait(source, now) > 0:
            return False
        for key, policy in source.keys().items():
            self.buckets[key] = throttle.attempted(self.buckets.get(key, throttle.Bucket()), policy, now)
        if right:
            own = source.own_key()
            del self.buckets[own]
            for key in set(source.keys()):
                if key != own:
                    self.buckets[key] = throttle.taken_back(self.buckets[key], now)
        return True


attackers = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 20_000), st.sampled_from(["ann", "bob"]), st.booleans()), max_size=200
)


@given(attackers, st.sampled_from(["device", "network"]))
@settings(max_examples=150, deadline=None)
def test_no_stranger_delays_a_good_sign_in_from_a_known_place(
    guesses: list[tuple[int, int, str, bool]], known_by: str
) -> None:
    gate, now = Gate(), HOUR * 10
    if known_by == "device":
        # the attacker even shares the network of the one he is after
        ann = throttle.Source("acme", "ann", "net-0", device="d1")
    else:
        ann = throttle.Source("acme", "ann", "home", familiar=True)
    for network, pause, name, right in guesses:
        now += pause
        gate.attempt(throttle.Source("acme", name, f"net-{network}"), now, right=right and name == "bob")
        assert gate.wait(ann, now) <= 0
    assert gate.attempt(ann, now, right=True)


@given(st.integers(1, 60), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_patient_guesser_gets_few_guesses_in_a_day(step: int, accounts: int) -> None:
    gate, tried = Gate(), 0
    now = HOUR * 10
    end = now + 24 * HOUR
    turn = 0
    while now < end:
        turn += 1
        source = throttle.Source("acme", f"user{turn % (accounts + 1)}", "net")
        tried += gate.attempt(source, now, right=False)
        now += step * 1000
    assert tried <= 24 * 12 + 60, "after the free ones, one in five minutes at most from one network"


def guesses_in_three_hours(*, own_between: bool) -> int:
    gate, now, tried = Gate(), HOUR * 10, 0
    for turn in range(20_000):
        now += 500
        if turn % 2:
            tried += gate.attempt(throttle.Source("acme", "ann", "net"), now, right=False)
        elif own_between:
            gate.attempt(throttle.Source("acme", "mallory", "net"), now, right=True)
    return tried


def test_own_right_sign_ins_do_not_buy_guesses() -> None:
    assert guesses_in_three_hours(own_between=True) <= guesses_in_three_hours(own_between=False) < 30


def test_delays_grow_to_a_cap_and_are_forgotten() -> None:
    policy = throttle.BY_ACCOUNT
    assert [policy.delay(n) for n in (1, 4, 5, 6, 7)] == [0, 0, 1000, 2000, 4000]
    assert policy.delay(10_000) == policy.cap
    old = throttle.Bucket(failures=50, blocked_until=0, updated_at=0)
    assert throttle.attempted(old, policy, policy.forget + 1).failures == 1


async def guess(estate: Estate, name: str, address: str, **caller: str) -> None:
    try:
        await estate.cookie(name, password="wrong password", address=address, **caller)
    except (identity_errors.BadSignInError, identity_errors.SlowDownError):
        return
    raise AssertionError("the guess was right")


async def test_the_service_slows_guesses_and_lets_the_known_through(any_estate: Estate) -> None:
    estate = any_estate
    await estate.user("ann")
    await estate.cookie("ann", address="198.51.100.7")
    for _ in range(6):
        await guess(estate, "ann", "203.0.113.5")
    with pytest.raises(identity_errors.SlowDownError) as caught:
        await estate.cookie("ann", address="203.0.113.5")
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 2
    assert await estate.cookie("ann", address="198.51.100.7")
    estate.clock.pass_(seconds=3)
    assert await estate.cookie("ann", address="203.0.113.5"), "the wait is over"


async def test_a_known_browser_is_let_through_beside_its_attacker(estate: Estate) -> None:
    await estate.user("ann")
    command = model.SignIn(name="ann", password=PASSWORD, tenant="acme")
    signed_in = await estate.identity.signing_in.sign_in(command, Caller(address="198.51.100.7"))
    for number in range(40):
        await guess(estate, f"user{number % 9}", "203.0.113.5")
        await guess(estate, "ann", "203.0.113.5")
    with pytest.raises(identity_errors.SlowDownError):
        await estate.cookie("ann", address="203.0.113.5")
    assert await estate.cookie("ann", address="203.0.113.5", device=signed_in.device)


async def test_a_device_mark_is_good_for_its_own_account_alone(estate: Estate) -> None:
    await estate.user("mallory")
    await estate.user("ann")
    command = model.SignIn(name="mallory", password=PASSWORD, tenant="acme")
    mark = (await estate.identity.signing_in.sign_in(command, Caller(address="203.0.113.5"))).device
    for forged in (mark, mark.replace("identity/device", "identity/other"), "x" * 5000):
        for _ in range(6):
            await guess(estate, "ann", "203.0.113.5", device=forged)
        with pytest.raises(identity_errors.SlowDownError):
            await estate.cookie("ann", address="203.0.113.5", device=forged)


async def test_many_guesses_at_once_gain_nothing(any_estate: Estate) -> None:
    await any_estate.user("ann")
    await asyncio.gather(*(guess(any_estate, "ann", "203.0.113.5") for _ in range(25)))
    found, _ = await audit.timeline(any_estate.identity.ground.database, ROOT, audit.Timeline(chain="*"))
    looked_at = sum(record.reason == "wrong name or password" for record in found)
    assert looked_at <= throttle.BY_ACCOUNT.free
