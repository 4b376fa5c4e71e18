"""Tokens for a credential: one exchange for all, renewed in time, right with a wrong clock, silent about secrets."""

import asyncio

import pytest

from qiantang.kernel import errors, protocol
from qiantang.kernel.testing import SCOPE
from qiantang.kernel.uplink.credentials import CredentialTokens, FixedToken, Proof

SECRET = "the-very-secret"


class _Center:
    """Answers exchanges; `skew_ms` is how far its clock is ahead of the caller's."""

    def __init__(self, skew_ms: int = 0) -> None:
        self.now = 0.0
        self.skew_ms = skew_ms
        self.requests: list[protocol.TokenRequest] = []
        self.away = False

    def clock(self) -> float:
        return 1_000_000.0 + self.now

    async def exchange(self, proof: Proof) -> protocol.Token:
        await asyncio.sleep(0)
        if self.away:
            raise errors.UnavailableError("away")
        request = proof()
        self.requests.append(request)
        time = int(self.clock() * 1000) + self.skew_ms
        expected = protocol.sign(protocol.signing_key(SECRET), "app", request.timestamp, request.nonce)
        if request.signature != expected:
            raise errors.UnauthenticatedError("wrong signature")
        if abs(request.timestamp - time) > 1000:
            raise errors.UnauthenticatedError("clock", facts={"server_time": time})
        return protocol.Token(token=f"t{len(self.requests)}", expires_in=100, scope=SCOPE, server_time=time)


def tokens_of(center: _Center, secret: str = SECRET) -> CredentialTokens:
    return CredentialTokens("app", secret, center.clock, lambda: center.now)


async def test_one_exchange_serves_all_that_wait() -> None:
    center = _Center()
    tokens = tokens_of(center)
    given = await asyncio.gather(*(tokens.token(center.exchange) for _ in range(20)))
    assert set(given) == {"t1"}
    assert len(center.requests) == 1


async def test_one_waiter_giving_up_does_not_stop_the_others() -> None:
    center = _Center()
    tokens = tokens_of(center)
    first = asyncio.ensure_future(tokens.token(center.exchange))
    second = asyncio.ensure_future(tokens.token(center.exchange))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "t1"


async def test_renewed_before_it_ends_and_kept_while_the_center_is_away() -> None:
    center = _Center()
    tokens = tokens_of(center)
    assert await tokens.token(center.exchange) == "t1"
    center.now = 79
    assert await tokens.token(center.exchange) == "t1"
    center.now, center.away = 81, True
    assert await tokens.token(center.exchange) == "t1"
    center.away = False
    assert await tokens.token(center.exchange) == "t2"
    center.now, center.away = 190, True
    with pytest.raises(errors.UnavailableError):
        await tokens.token(center.exchange)


@pytest.mark.parametrize("skew_ms", [3_600_000, -3_600_000])
async def test_a_wrong_clock_is_put_right_with_one_retry(skew_ms: int) -> None:
    center = _Center(skew_ms)
    tokens = tokens_of(center)
    assert await tokens.token(center.exchange) == "t2"
    center.now = 90
    assert await tokens.token(center.exchange) == "t3"
    assert len({request.nonce for request in center.requests}) == 3


async def test_a_clock_that_stays_wrong_is_not_retried_for_ever() -> None:
    center = _Center()

    async def never_right(proof: Proof) -> protocol.Token:
        center.requests.append(proof())
        raise errors.UnauthenticatedError("clock", facts={"server_time": 5})

    with pytest.raises(errors.UnauthenticatedError):
        await tokens_of(center).token(never_right)
    assert len(center.requests) == 2


async def test_a_wrong_secret_is_refused() -> None:
    center = _Center()
    with pytest.raises(errors.UnauthenticatedError):
        await tokens_of(center, "another").token(center.exchange)


async def test_a_refused_token_is_replaced_once_for_all() -> None:
    center = _Center()
    tokens = tokens_of(center)
    await tokens.token(center.exchange)
    assert tokens.refused("t1")
    assert await tokens.token(center.exchange) == "t2"
    assert tokens.refused("t1")  # heard late: the token in use is another one already
    assert await tokens.token(center.exchange) == "t2"


async def test_nothing_secret_is_shown() -> None:
    center = _Center()
    tokens = tokens_of(center)
    await tokens.token(center.exchange)
    assert "secret" not in repr(tokens)
    assert "t1" not in repr(tokens)
    assert "abc" not in repr(FixedToken("abc"))
