"""First start, passwords, sessions: what lets somebody in, and what ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qiantang.identity import errors as identity_errors
from qiantang.identity import model
from qiantang.kernel import errors
from qiantang_server.identity.rules import tokens
from qiantang_server.identity.service import Caller, Identity
from qiantang_server.identity.store import sign_in as rows
from qiantang_server.kernel import access, audit, storage
from server.tests.identity.conftest import service
from server.tests.identity.estate import PASSWORD, ROOT, Clock, Estate, held_still

HERE = Caller(address="192.0.2.1", agent="Firefox")


def first(token: str, password: str = PASSWORD) -> model.FirstStart:
    return model.FirstStart(token=token, name="root", password=password)


async def test_the_first_start_makes_one_administrator_once(identity: Identity) -> None:
    token = await identity.first_start_token()
    assert token is not None
    signed_in = await identity.signing_in.first_start(first(token), HERE)
    principal = await identity.authenticate(access.Presented(cookie=signed_in.session))
    assert principal.allows("identity.tenant:create", access.PLATFORM)
    with pytest.raises(identity_errors.BadFirstStartError):
        await identity.signing_in.first_start(first(token), HERE)
    assert await identity.first_start_token() is None


async def test_the_first_start_token_ends_after_ten_minutes(identity: Identity, clock: Clock) -> None:
    token = await identity.first_start_token()
    clock.pass_(minutes=10)
    with pytest.raises(identity_errors.BadFirstStartError):
        await identity.signing_in.first_start(first(token or ""), HERE)
    later = await identity.first_start_token()
    await identity.signing_in.first_start(first(later or ""), HERE)


async def test_a_wrong_or_weak_first_start_leaves_the_token_good(identity: Identity) -> None:
    token = await identity.first_start_token() or ""
    with pytest.raises(identity_errors.BadFirstStartError):
        await identity.signing_in.first_start(first(token + "x"), HERE)
    with pytest.raises(identity_errors.WeakPasswordError):
        await identity.signing_in.first_start(first(token, "short"), HERE)
    await identity.signing_in.first_start(first(token), HERE)


async def test_two_first_starts_at_once_make_one_administrator(identity: Identity) -> None:
    one, two = await identity.first_start_token(), await identity.first_start_token()
    results = await asyncio.gather(
        identity.signing_in.first_start(first(one or ""), HERE),
        identity.signing_in.first_start(first(two or ""), HERE),
        return_exceptions=True,
    )
    assert sum(isinstance(result, identity_errors.BadFirstStartError) for result in results) == 1


async def test_wrong_name_and_wrong_password_are_told_alike(estate: Estate) -> None:
    await estate.user("ann")
    told: list[str] = []
    for name, tenant, password in (
        ("ann", "acme", "wrong password"),
        ("nobody", "acme", PASSWORD),
        ("ann", "beta", PASSWORD),
        ("ann", "", PASSWORD),
    ):
        with pytest.raises(identity_errors.BadSignInError) as caught:
            await estate.cookie(name, tenant=tenant, password=password)
        told.append(str(caught.value.document()))
    assert len(set(told)) == 1


async def test_both_are_looked_at_with_one_hash(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    await estate.user("ann")
    hasher: Any = estate.identity._hasher
    asked: list[str] = []
    real = hasher._matches
    monkeypatch.setattr(hasher, "_matches", lambda stored, given: asked.append(stored) or real(stored, given))
    for name in ("ann", "nobody"):
        with pytest.raises(identity_errors.BadSignInError):
            await estate.cookie(name, password="wrong password")
    costs = {stored.rpartition("$")[0].rpartition("$")[0] for stored in asked}
    assert len(asked) == 2
    assert costs == {"$argon2id$v=19$m=19456,t=2,p=1"}


async def test_a_session_ends_idle_and_ends_for_good(estate: Estate) -> None:
    await estate.user("ann")
    cookie = await estate.cookie("ann")
    for _ in range(27):
        estate.clock.pass_(minutes=26)
        await estate.identity.authenticate(access.Presented(cookie=cookie))
    estate.clock.pass_(minutes=26)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.identity.authenticate(access.Presented(cookie=cookie))
    other = await estate.cookie("ann")
    estate.clock.pass_(minutes=30)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.identity.authenticate(access.Presented(cookie=other))


async def test_a_page_that_asks_by_itself_does_not_keep_a_session(estate: Estate) -> None:
    await estate.user("ann")
    cookie = await estate.cookie("ann")
    for _ in range(5):
        estate.clock.pass_(minutes=5)
        await estate.identity.authenticate(access.Presented(cookie=cookie, in_use=False))
    await estate.identity.authenticate(access.Presented(cookie=cookie))
    for _ in range(5):
        estate.clock.pass_(minutes=5)
        await estate.identity.authenticate(access.Presented(cookie=cookie, in_use=False))
    estate.clock.pass_(minutes=5)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.identity.authenticate(access.Presented(cookie=cookie, in_use=False))


async def test_use_on_one_server_keeps_a_session_on_another(
    estate: Estate, database: storage.Database, clock: Clock
) -> None:
    await estate.user("ann")
    cookie = await estate.cookie("ann")
    async with service(database, clock) as second:
        for _ in range(4):
            clock.pass_(minutes=20)
            await second.authenticate(access.Presented(cookie=cookie))
            await second.usage.flush()
        assert (await estate.identity.authenticate(access.Presented(cookie=cookie))).name == "ann"


async def test_the_token_is_stored_hashed_and_a_new_one_at_each_sign_in(estate: Estate) -> None:
    await estate.user("ann")
    first_cookie = await estate.cookie("ann")
    second_cookie = await estate.cookie("ann", session=first_cookie)
    assert first_cookie != second_cookie
    async with estate.identity.ground.database.reading() as session:
        assert await rows.find_session(session, tokens.digest(second_cookie)) is not None
        assert await rows.find_session(session, second_cookie) is None
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.identity.authenticate(access.Presented(cookie=first_cookie))


async def test_nobody_proves_himself_with_the_other_kind_of_token(estate: Estate) -> None:
    await estate.user("ann")
    cookie = await estate.cookie("ann")
    for presented in (access.Presented(bearer=cookie), access.Presented()):
        with pytest.raises(errors.UnauthenticatedError):
            await estate.identity.authenticate(presented)


async def test_sessions_are_listed_and_ended_by_their_owner_alone(estate: Estate) -> None:
    await estate.user("ann")
    await estate.user("bob")
    ann = await estate.sign_in("ann", agent="Firefox")
    other = await estate.cookie("ann", agent="phone")
    bob = await estate.sign_in("bob")
    listed = await estate.identity.signing_in.list_sessions(ann)
    assert [(one.agent, one.current) for one in listed] == [("Firefox", True), ("phone", False)] or [
        (one.agent, one.current) for one in listed
    ] == [("phone", False), ("Firefox", True)]
    phone = next(one.id for one in listed if one.agent == "phone")
    with pytest.raises(errors.NotFoundError):
        await estate.identity.signing_in.end_session(bob, phone)
    await estate.identity.signing_in.end_session(ann, phone)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.identity.authenticate(access.Presented(cookie=other))


async def test_an_ended_session_ends_on_every_server(estate: Estate, database: storage.Database, clock: Clock) -> None:
    await estate.user("ann")
    cookie = await estate.cookie("ann")
    async with service(database, clock) as second:
        moment = held_still(second)
        principal = await second.authenticate(access.Presented(cookie=cookie))
        await estate.identity.signing_in.sign_out(principal)
        moment[0] += 2.1
        with pytest.raises(identity_errors.TokenEndedError):
            await second.authenticate(access.Presented(cookie=cookie))


async def test_a_new_password_ends_the_other_sessions(estate: Estate) -> None:
    await estate.user("ann")
    ann, other = await estate.sign_in("ann"), await estate.cookie("ann")
    change = model.PasswordChange(current="not this one", new="another fine password")
    with pytest.raises(identity_errors.BadSignInError):
        await estate.identity.signing_in.change_password(ann, change, HERE)
    weak = model.PasswordChange(current=PASSWORD, new="password1234")
    with pytest.raises(identity_errors.WeakPasswordError):
        await estate.identity.signing_in.change_password(ann, weak, HERE)
    good = model.PasswordChange(current=PASSWORD, new="another fine password")
    await estate.identity.signing_in.change_password(ann, good, HERE)
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.identity.authenticate(access.Presented(cookie=other))
    assert await estate.cookie("ann", password="another fine password")
    with pytest.raises(identity_errors.BadSignInError):
        await estate.cookie("ann")


async def test_a_disabled_account_and_a_disabled_tenant_are_out_at_once(estate: Estate) -> None:
    ann = await estate.user("ann")
    cookie = await estate.cookie("ann")
    await estate.identity.authenticate(access.Presented(cookie=cookie))
    await estate.identity.estate.change_tenant(ROOT, "acme", model.TenantChange(disabled=True))
    with pytest.raises(identity_errors.TokenEndedError):
        await estate.identity.authenticate(access.Presented(cookie=cookie))
    with pytest.raises(identity_errors.BadSignInError):
        await estate.cookie("ann")
    await estate.identity.estate.change_tenant(ROOT, "acme", model.TenantChange(disabled=False))
    with pytest.raises(errors.UnauthenticatedError):  # its sessions ended with it
        await estate.identity.authenticate(access.Presented(cookie=cookie))
    await estate.cookie("ann")
    await estate.identity.people.change_user(ROOT, "acme", ann.id, model.UserChange(disabled=True))
    with pytest.raises(identity_errors.BadSignInError):
        await estate.cookie("ann")


async def test_sign_ins_and_refusals_are_in_the_trail(estate: Estate) -> None:
    await estate.user("ann")
    await estate.cookie("ann")
    with pytest.raises(identity_errors.BadSignInError):
        await estate.cookie("ann", password="wrong password")
    own, _ = await audit.timeline(estate.identity.ground.database, ROOT, audit.Timeline(chain="acme"))
    assert own[0].action == "identity.session:create"
    assert (own[0].actor_name, own[0].outcome) == ("ann", "allow")
    platform, _ = await audit.timeline(estate.identity.ground.database, ROOT, audit.Timeline(chain="*"))
    assert (platform[0].outcome, platform[0].resource) == ("deny", "identity/user/acme/ann")
    assert PASSWORD not in str(own) + str(platform)


async def test_a_flood_of_strangers_does_not_hold_up_who_is_known(identity: Identity) -> None:
    hasher: Any = identity._hasher
    strangers: Any = hasher._lines[False]
    for _ in range(strangers._free._value):
        await strangers._free.acquire()
    stored = await hasher.hash(PASSWORD)
    assert await hasher.verify(stored, PASSWORD, known=True)
    strangers._waiting = 64
    with pytest.raises(errors.UnavailableError):
        await hasher.verify(stored, PASSWORD, known=False)


def test_secrets_never_show() -> None:
    for thing in (
        first("tttt", "pppp"),
        model.SignIn(name="a", password="pppp"),
        model.NewUser(name="ann", password="pppp"),
        model.UserChange(password="pppp"),
        model.PasswordChange(current="pppp", new="pppp"),
        Caller(session="tttt", device="tttt"),
        access.Presented(bearer="tttt", cookie="tttt"),
    ):
        assert "pppp" not in repr(thing)
        assert "tttt" not in repr(thing)
