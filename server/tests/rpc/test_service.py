"""Tokens for calls: what the platform signs, a provider takes, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc.jwk import KeySet

from qiantang.kernel import errors, scope, wire
from qiantang.rpc.model.kinds import PublicKeys, TokenRequest
from qiantang.rpc.wire import proof
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.sealing import store
from qiantang_server.rpc.service import SETTLE, CallTokens
from qiantang_server.rpc.settings import RpcSettings
from qiantang_server.rpc.store import signing_keys
from server.tests import databases
from server.tests.identity.estate import PlainSealer

TILL = scope.Scope.parse("acme/prod/shop/till")
NOBODY = access.CompiledGrants([], access.Permissions({}))
APPLICATION = access.Principal(kind="application", id="c1", name="till", grants=NOBODY, tenant="acme", scope=TILL)


class Clock:
    now = 1_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[storage.Database]:
    async with databases.opened("", tmp_path / "test.db", [store.data_keys, signing_keys]) as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def tokens(database: storage.Database, clock: Clock) -> CallTokens:
    made = CallTokens(database, PlainSealer(), RpcSettings(token=timedelta(hours=1)), clock)
    await made.open()
    return made


def gate(keys: Callable[[], PublicKeys], clock: Clock, environment: str = "prod") -> proof.TokenGate:
    return proof.TokenGate(
        "acme", environment, lambda: KeySet.import_key_set(wire.builtins(keys())), lambda: clock() / 1000
    )


async def test_a_provider_knows_who_holds_a_token_and_the_key_in_it(database: storage.Database, clock: Clock) -> None:
    platform, key = await tokens(database, clock), proof.CallerKey()
    given = await platform.issue(APPLICATION, TokenRequest(public=key.public))
    known = await platform.public_keys()
    provider, nonce = gate(lambda: known, clock), proof.nonce()
    assert provider.admit(given.token, key.prove(nonce, "n1"), nonce, "n1").application == TILL
    with pytest.raises(errors.UnauthenticatedError, match="does not hold the key"):
        provider.admit(given.token, proof.CallerKey().prove(nonce, "n1"), nonce, "n1")
    with pytest.raises(errors.ForbiddenError, match="another tenant or environment"):
        gate(lambda: known, clock, "test").admit(given.token, key.prove(nonce, "n1"), nonce, "n1")
    clock.now += int((given.expires_in + proof.LEEWAY + 1) * 1000)
    with pytest.raises(errors.UnauthenticatedError, match="has ended"):
        provider.admit(given.token, key.prove(nonce, "n1"), nonce, "n1")


async def test_a_new_key_signs_nothing_before_providers_know_it(database: storage.Database, clock: Clock) -> None:
    platform, key, nonce = await tokens(database, clock), proof.CallerKey(), proof.nonce()
    early = await platform.public_keys()
    assert early.again_in * 3 == SETTLE / 1000
    clock.now += 30 * 24 * 3600 * 1000
    await platform.rotate()
    given = await platform.issue(APPLICATION, TokenRequest(public=key.public))
    assert gate(lambda: early, clock).admit(given.token, key.prove(nonce, "n1"), nonce, "n1").application == TILL
    known = await platform.public_keys()
    assert len(known.keys) == 2
    clock.now += SETTLE
    later = await platform.issue(APPLICATION, TokenRequest(public=key.public))
    assert gate(lambda: known, clock).admit(later.token, key.prove(nonce, "n1"), nonce, "n1").application == TILL
    with pytest.raises(errors.UnauthenticatedError, match="not signed by this platform"):
        gate(lambda: early, clock).admit(later.token, key.prove(nonce, "n1"), nonce, "n1")


async def test_all_servers_sign_with_the_same_keys(database: storage.Database, clock: Clock) -> None:
    one, other = await tokens(database, clock), await tokens(database, clock)
    assert await one.public_keys() == await other.public_keys()


async def test_people_get_none(database: storage.Database, clock: Clock) -> None:
    platform = await tokens(database, clock)
    person = access.Principal(kind="user", id="u1", name="li", grants=NOBODY, tenant="acme")
    with pytest.raises(errors.ForbiddenError, match="given to applications"):
        await platform.issue(person, TokenRequest())


async def test_no_private_key_is_told(database: storage.Database, clock: Clock) -> None:
    told = wire.encode(await (await tokens(database, clock)).public_keys())
    assert b'"d"' not in told
