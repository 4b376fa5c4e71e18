"""Application credentials, bearer tokens and access tokens: forged, expired, replayed, revoked."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from qiantang.identity import errors as identity_errors
from qiantang.identity import model
from qiantang.kernel import errors, protocol, scope
from qiantang_server.identity.rules import tokens
from qiantang_server.kernel import access, audit, storage
from server.tests.identity.conftest import service
from server.tests.identity.estate import ORDERS, PASSWORD, ROOT, Clock, Estate, PlainSealer, held_still


async def test_an_application_gets_a_token_for_its_scope_alone(any_estate: Estate) -> None:
    estate = any_estate
    issued = await estate.credential()
    token = await estate.identity.credentials.exchange(estate.request(issued), "192.0.2.9")
    assert (token.scope, token.expires_in, token.server_time) == (ORDERS, 900, estate.clock())
    principal = await estate.who(token.token)
    assert (principal.kind, principal.scope, principal.tenant) == ("application", ORDERS, "acme")
    assert principal.allows("watch.bundle:read", access.Target.of(ORDERS))
    for place in (access.Target("acme", "dev", "sales", "stock"), access.Target("acme", "prod", "sales", "orders")):
        assert not principal.allows("watch.bundle:read", place)
    assert not principal.allows("config.namespace:read", access.Target.of(ORDERS))
    assert token.token not in repr(token)


async def test_a_forged_request_is_refused_without_a_hint(estate: Estate) -> None:
    issued = await estate.credential()
    unknown = model.IssuedCredential(id="qtc-unknown", secret="x", scope=ORDERS, expires_at=0)
    told: set[str] = set()
    for request in (estate.request(issued, secret="guessed"), estate.request(unknown)):
        with pytest.raises(identity_errors.BadCredentialError) as caught:
            await estate.identity.credentials.exchange(request, "192.0.2.9")
        told.add(caught.value.detail)
    assert len(told) == 1
    zero = estate.request(unknown)
    forged = protocol.sign(bytes(32), zero.credential, zero.timestamp, zero.nonce)
    with pytest.raises(identity_errors.BadCredentialError):
        await estate.identity.credentials.exchange(msgspec.structs.replace(zero, signature=forged), "")


@pytest.mark.parametrize("offset", [61_000, -61_000, 3_600_000, -3_600_000])
async def test_a_clock_that_is_off_is_told_the_time(estate: Estate, offset: int) -> None:
    issued = await estate.credential()
    with pytest.raises(identity_errors.ClockSkewError) as caught:
        await estate.identity.credentials.exchange(estate.request(issued, offset_ms=offset), "")
    assert caught.value.code == "identity.clock_skew"
    assert caught.value.facts == {"server_time": estate.clock()}
    assert await estate.identity.credentials.exchange(estate.request(issued, offset_ms=offset // 100), "")


async def test_a_request_is_good_once_on_all_servers(any_estate: Estate, any_database: storage.Database) -> None:
    issued = await any_estate.credential()
    async with service(any_database, any_estate.clock) as second:
        request = any_estate.request(issued)
        both = [any_estate.identity.credentials, second.credentials]
        results = await asyncio.gather(
            *(both[number % 2].exchange(request, "") for number in range(8)), return_exceptions=True
        )
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert sum(isinstance(result, identity_errors.ReplayedError) for result in results) == 7


async def test_many_starts_at_once_all_get_their_token(any_estate: Estate) -> None:
    issued = await any_estate.credential()
    exchange = any_estate.identity.credentials.exchange
    results = await asyncio.gather(*(exchange(any_estate.request(issued), "") for _ in range(60)))
    assert len({result.token for result in results}) == 60


async def test_a_token_ends_with_its_time(estate: Estate) -> None:
    issued = await estate.credential()
    bearer = await estate.bearer(issued)
    await estate.who(bearer)
    estate.clock.pass_(minutes=15)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.who(bearer)


async def test_forged_tokens_are_refused(estate: Estate) -> None:
    issued = await estate.credential()
    good = await estate.bearer(issued)
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    kid = json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]

    def encoded(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    stranger = OctKey.import_key(b"s" * 32)
    forged = [
        f"{encoded({'alg': 'none', 'kid': kid})}.{body}.",
        f"{encoded({'alg': 'none', 'kid': kid})}.{body}.{signature}",
        f"{head}.{encoded({**claims, 'exp': claims['exp'] + 9999})}.{signature}",
        jwt.encode({"alg": "HS256", "kid": kid}, claims, stranger),
        jwt.encode({"alg": "HS256", "kid": "unknown"}, claims, stranger),
        jwt.encode({"alg": "HS256"}, claims, stranger),
        good[:-2],
        "a.b.c",
        "x" * 100_000,
        "é.é.é",
    ]
    for text in forged:
        with pytest.raises(identity_errors.TokenEndedError):
            await estate.who(text)
    await estate.who(good)


async def test_a_signed_token_with_odd_claims_is_refused(estate: Estate) -> None:
    keys = estate.identity._keys
    for claims in ({}, {"sub": "qtc-x"}, {"sub": 5, "exp": 2**40}, {"sub": "qtc-x", "exp": "soon"}):
        with pytest.raises(identity_errors.TokenEndedError):
            await estate.who(keys.sign(claims))
    with pytest.raises(identity_errors.CredentialEndedError):
        await estate.who(keys.sign({"sub": "qtc-x", "exp": 2**40}))


async def test_two_active_credentials_and_a_rotation(any_estate: Estate) -> None:
    estate = any_estate
    old = await estate.credential()
    command = model.RotateCredential(overlap_seconds=3600)
    new = await estate.identity.credentials.rotate_credential(ROOT, ORDERS, old.id, command)
    with pytest.raises(identity_errors.TooManyCredentialsError):
        await estate.credential()
    for issued in (old, new):
        await estate.who(await estate.bearer(issued))
    late = await estate.identity.credentials.exchange(estate.request(old), "")
    estate.clock.pass_(seconds=3590)
    soon = await estate.identity.credentials.exchange(estate.request(old), "")
    assert soon.expires_in == 10, "a token does not outlive its credential"
    estate.clock.pass_(seconds=11)
    with pytest.raises(identity_errors.CredentialEndedError):
        await estate.identity.credentials.exchange(estate.request(old), "")
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.who(late.token)
    await estate.who(await estate.bearer(new))
    await estate.identity.usage.flush()
    listed = await estate.identity.credentials.list_credentials(ORDERS)
    assert [(one.id, one.active, one.last_used_at > 0) for one in listed if one.id == new.id] == [(new.id, True, True)]
    assert [one.active for one in listed if one.id == old.id] == [False]


async def test_revoking_ends_tokens_on_every_server(estate: Estate, database: storage.Database, clock: Clock) -> None:
    issued = await estate.credential()
    bearer = await estate.bearer(issued)
    async with service(database, clock) as second:
        moment = held_still(second)
        presented = access.Presented(bearer=bearer)
        await second.authenticate(presented)
        await estate.identity.credentials.revoke_credential(ROOT, ORDERS, issued.id)
        with pytest.raises(identity_errors.CredentialRevokedError):
            await estate.who(bearer)
        await second.authenticate(presented)
        moment[0] += 2.1
        with pytest.raises(identity_errors.CredentialRevokedError):
            await second.authenticate(presented)
    with pytest.raises(identity_errors.CredentialRevokedError):
        await estate.identity.credentials.exchange(estate.request(issued), "")


async def test_what_was_deleted_is_gone_for_its_holders(any_estate: Estate) -> None:
    estate = any_estate
    issued = await estate.credential()
    bearer = await estate.bearer(issued)
    other = await estate.bearer(await estate.credential(scope.Scope.parse("acme/dev/sales/stock")))
    await estate.identity.estate.delete_application(ROOT, "acme", "sales", "orders")
    assert await estate.identity.is_gone(ORDERS)
    with pytest.raises(errors.GoneError):
        await estate.who(bearer)
    with pytest.raises(identity_errors.ApplicationGoneError):
        await estate.identity.credentials.exchange(estate.request(issued), "")
    await estate.who(other)
    await estate.identity.estate.create_application(ROOT, "acme", "sales", model.NewApplication(name="orders"))
    assert not await estate.identity.is_gone(ORDERS)
    with pytest.raises(identity_errors.CredentialRevokedError):
        await estate.who(bearer)
    await estate.identity.estate.delete_environment(ROOT, "acme", "dev")
    with pytest.raises(errors.GoneError):
        await estate.who(other)


async def test_a_restored_database_makes_everything_be_looked_up_again(estate: Estate) -> None:
    bearer = await estate.bearer(await estate.credential())
    await estate.who(bearer)
    pulse = estate.identity.ground.pulse
    assert pulse.generation == 0
    pulse.counter += 50
    pulse.expire()
    await estate.who(bearer)
    assert pulse.generation == 1


async def test_keys_are_shared_between_servers_and_outlive_a_restart(
    estate: Estate, database: storage.Database, clock: Clock
) -> None:
    issued = await estate.credential()
    async with service(database, clock) as second:
        clock.pass_(days=31)
        await second.housekeeping.rotate_keys()
        request = estate.request(issued)
        newer = (await second.credentials.exchange(request, "")).token
        assert (await estate.who(newer)).id == issued.id
    async with service(database, clock) as third:
        assert (await third.authenticate(access.Presented(bearer=newer))).id == issued.id


async def test_no_secret_is_stored(estate: Estate, database: storage.Database) -> None:
    issued = await estate.credential()
    ann = await estate.user("ann")
    token = await estate.identity.access_tokens.create_token(
        await estate.sign_in("ann"), model.NewAccessToken(name="cli", lifetime_days=1)
    )
    parts = tokens.read(token.token)
    assert parts is not None
    file = b"".join(path.read_bytes() for path in sorted((Path(database.url.database or "").parent).iterdir()))
    for secret in (issued.secret, parts[1], PASSWORD):
        assert secret.encode() not in file
    assert ann.id.encode() in file


async def cli_token(estate: Estate, name: str, **limits: Any) -> str:
    principal = await estate.sign_in(name)
    command = model.NewAccessToken(name="cli", **{"lifetime_days": 30, **limits})
    return (await estate.identity.access_tokens.create_token(principal, command)).token


async def test_an_access_token_never_holds_more_than_its_owner(any_estate: Estate) -> None:
    estate = any_estate
    ann = await estate.user("ann", ("developer", "acme/dev"))
    wide = await cli_token(estate, "ann")
    narrow = await cli_token(estate, "ann", permissions=["*:read"], pattern="acme/dev/sales/orders")
    orders, stock = access.Target.of(ORDERS), access.Target("acme", "dev", "sales", "stock")
    principal = await estate.who(wide)
    assert principal.via == "token"
    assert principal.allows("config.namespace:update", stock)
    assert not principal.allows("config.namespace:publish", stock)
    assert not principal.allows("config.namespace:read", access.Target("acme", "prod", "sales", "stock"))
    limited = await estate.who(narrow)
    assert limited.allows("config.namespace:read", orders)
    assert not limited.allows("config.namespace:update", orders)
    assert not limited.allows("config.namespace:read", stock)
    grants = await estate.identity.granting.list_grants(ROOT, "acme")
    await estate.identity.granting.take_back(ROOT, next(one.id for one in grants.items if one.user == ann.id))
    assert not (await estate.who(wide)).allows("config.namespace:read", stock)


async def test_access_tokens_end(estate: Estate) -> None:
    await estate.user("ann")
    await estate.user("bob")
    expired, revoked = await cli_token(estate, "ann", lifetime_days=1), await cli_token(estate, "ann")
    revoked_id = (tokens.read(revoked) or ("", ""))[0]
    with pytest.raises(errors.NotFoundError):
        await estate.identity.access_tokens.delete_token(await estate.sign_in("bob"), revoked_id)
    await estate.who(revoked)
    await estate.identity.access_tokens.delete_token(await estate.who(revoked), revoked_id)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.who(revoked)
    await estate.who(expired)
    estate.clock.pass_(days=1)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.who(expired)


async def test_a_token_cannot_make_tokens_or_passwords(estate: Estate) -> None:
    await estate.user("ann", ("tenant-admin", "acme"))
    principal = await estate.who(await cli_token(estate, "ann", permissions=["identity.user:*"]))
    with pytest.raises(identity_errors.InteractiveOnlyError):
        await estate.identity.access_tokens.create_token(principal, model.NewAccessToken(name="x", lifetime_days=1))
    own = estate.users["ann"]
    with pytest.raises(identity_errors.BeyondOwnRightsError):
        await estate.identity.people.change_user(
            principal, "acme", own.id, model.UserChange(password="a new fine password")
        )


@pytest.mark.parametrize("change", ["id", "secret", "crc", "case", "cut"])
async def test_a_mistyped_token_is_refused(estate: Estate, change: str) -> None:
    await estate.user("ann")
    token = await cli_token(estate, "ann")
    _, _, token_id, secret, crc = token.split("_")
    wrong = {
        "id": tokens.write("0" * 16, secret),
        "secret": tokens.write(token_id, "0" * 64),
        "crc": f"qt_pat_{token_id}_{secret}_{int(crc, 16) ^ 1:08x}",
        "case": token.upper(),
        "cut": token[:-1],
    }[change]
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.who(wrong)


def test_the_sealer_of_these_tests_keeps_places_apart() -> None:
    sealer = PlainSealer()
    sealer.loaded = {"a", "b"}
    sealed = sealer.seal("a", b"secret", "here")
    assert sealer.open("a", sealed, "here") == b"secret"
    for tenant, context in (("b", "here"), ("a", "there")):
        with pytest.raises(errors.InternalError):
            sealer.open(tenant, sealed, context)


async def test_refused_exchanges_are_in_the_trail(estate: Estate) -> None:
    issued = await estate.credential()
    with pytest.raises(identity_errors.BadCredentialError):
        await estate.identity.credentials.exchange(estate.request(issued, secret="guessed"), "192.0.2.77")
    found, _ = await audit.timeline(estate.identity.ground.database, ROOT, audit.Timeline(chain="*", outcome="deny"))
    assert (found[0].address, found[0].resource) == ("192.0.2.77", f"identity/credential/{issued.id}")
