"""Sign-in: the first start, passwords, browser sessions, and the throttle in front of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from qiantang.identity import model
from qiantang.identity.errors import (
    BadFirstStartError,
    BadSignInError,
    InteractiveOnlyError,
    SlowDownError,
)
from qiantang.kernel import errors, ids
from qiantang_server.identity.rules import passwords, roles, throttle, tokens
from qiantang_server.identity.service.ground import Ground, missing
from qiantang_server.identity.service.hashing import PasswordHasher
from qiantang_server.identity.service.people import home, new_user, shown_user
from qiantang_server.identity.service.rights import held_roles
from qiantang_server.identity.store import people, sign_in
from qiantang_server.identity.store.people import Row
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.sealing import PLATFORM

DEVICE_LIFETIME = 90 * 24 * 3600 * 1000
_DEVICE = "identity/device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Where a request to sign in comes from, and what the browser brought along."""

    address: str = ""
    agent: str = ""
    session: str = field(default="", repr=False)
    device: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the browser is to keep: its session, and the mark of a browser that signed in before."""

    session: str = field(repr=False)
    device: str = field(repr=False)
    user: model.User


class _Mark(msgspec.Struct, frozen=True):
    """The inside of a device mark."""

    user: str
    id: str
    made_at: int


class SigningIn:
    """Use cases of signing in. Wrong name and wrong password are answered alike, in the same time."""

    def __init__(self, ground: Ground, hasher: PasswordHasher) -> None:
        self._ground = ground
        self._hasher = hasher

    # the first start

    async def first_start_token(self) -> str | None:
        """Give a new one-time token that makes the first administrator; None once the platform has any account."""
        token = ids.secret_token()
        expires = self._ground.now() + int(self._ground.settings.first_start.total_seconds() * 1000)

        async def work(session: storage.Session) -> bool:
            if await people.any_platform_user(session):
                return False
            await sign_in.clear_first_starts(session, before=self._ground.now())
            await sign_in.insert_first_start(session, tokens.digest(token), expires)
            return True

        return token if await self._ground.change(work, "") else None

    async def first_start(self, command: model.FirstStart, caller: Caller) -> SignedIn:
        """Make the first platform administrator and sign him in. The token is used up.

        Raises:
            BadFirstStartError: the token is wrong, used up or expired, or the platform has an account already.
            WeakPasswordError: the password would be guessed; the token stays good.
        """
        if not await self.first_start_left(command.token):
            await self._refused("first start refused", caller, "first-start")
            raise _bad_first_start()
        passwords.require_strong(command.password, [command.name])
        password = await self._hasher.hash(command.password)
        now = self._ground.now()
        user = new_user("", command.name, command.title, password, now)
        made = await self._new_session(user["id"], caller)

        async def work(session: storage.Session) -> Row:
            if not await self._left(session, command.token):
                raise _bad_first_start()
            await sign_in.clear_first_starts(session)
            await people.insert_user(session, user)
            await people.insert_grant(session, _admin_grant(user["id"], now))
            return await self._begin(session, user["id"], caller, made)

        row = await self._ground.change(work, "", made.replaces_in)
        return SignedIn(made.token, made.device, shown_user(row))

    async def first_start_left(self, token: str) -> int:
        """Give the milliseconds for which a one-time token is good yet; 0 where it is wrong, used up or over."""
        async with self._ground.database.reading() as session:
            return await self._left(session, token)

    async def nobody_yet(self) -> bool:
        """Say whether the platform has no account: then a first start is to come, whoever there is in its tenants."""
        async with self._ground.database.reading() as session:
            return not await people.any_platform_user(session)

    async def _left(self, session: storage.Session, token: str) -> int:
        if await people.any_platform_user(session):
            return 0
        return max(0, await sign_in.first_start_ends(session, tokens.digest(token)) - self._ground.now())

    # sessions

    async def sign_in(self, command: model.SignIn, caller: Caller) -> SignedIn:
        """Begin a session. The one that the browser brought along ends.

        Raises:
            BadSignInError: name and password do not go together, or the account is disabled.
            SlowDownError: too many wrong ones from there; `retry_after` says how long to wait.
        """
        async with self._ground.database.reading() as session:
            row = await people.find_user_by_name(session, command.tenant, command.name)
            source = await self._source(session, command, caller, row)
        await self._throttled(source, caller)
        usable = row is not None and not row.disabled and not row.tenant_disabled
        right = await self._hasher.verify(
            row.password if row is not None else None, command.password, known=source.known
        )
        if row is None or not right or not usable:
            await self._refused("wrong name or password", caller, f"{command.tenant}/{command.name}")
            raise BadSignInError("name and password do not go together")
        made = await self._new_session(row.id, caller)
        password = row.password
        if self._hasher.is_outdated(password):
            password = await self._hasher.hash(command.password)

        async def work(session: storage.Session) -> Row:
            current = await people.find_user(session, row.id)
            if current is None or current.disabled or current.password != row.password:
                raise BadSignInError("name and password do not go together")
            await self._took_back(session, source)
            await people.update_user(session, row.id, {"password": password, "signed_in_at": self._ground.now()})
            return await self._begin(session, row.id, caller, made)

        return SignedIn(made.token, made.device, shown_user(await self._write(work, made)))

    async def sign_out(self, principal: Principal) -> None:
        """End the session that asks."""
        if principal.via == "session":
            await self.end_session(principal, principal.session)

    async def list_sessions(self, principal: Principal) -> list[model.SessionInfo]:
        """List the sessions of who asks, newest first."""
        require_user(principal)
        idle = int(self._ground.settings.session_idle.total_seconds() * 1000)
        async with self._ground.database.reading() as session:
            rows = await sign_in.list_sessions(session, principal.id, self._ground.now(), idle)
        return [
            model.SessionInfo(
                id=row.id,
                created_at=row.created_at,
                seen_at=row.seen_at,
                expires_at=row.expires_at,
                address=row.address,
                agent=row.agent,
                current=row.id == principal.session,
            )
            for row in rows
        ]

    async def end_session(self, principal: Principal, session_id: str) -> None:
        """End one of the sessions of who asks, on every server.

        Raises:
            NotFoundError: he has none of that id.
        """
        require_user(principal)

        async def work(session: storage.Session) -> None:
            if not await sign_in.end_session(session, principal.id, session_id):
                raise missing("session", session_id)
            await self._record(session, principal, "delete", f"session/{session_id}")

        await self._ground.change(work, principal.tenant)

    async def change_password(self, principal: Principal, command: model.PasswordChange, caller: Caller) -> None:
        """Change the own password; ends all other sessions and forgets from where they came.

        Raises:
            InteractiveOnlyError: a token asks.
            BadSignInError: the current password is wrong.
            WeakPasswordError: the new one would be guessed.
        """
        require_interactive(principal, "change the password")
        source = throttle.Source(
            principal.tenant, principal.name, audit.network(caller.address), device=f"session/{principal.session}"
        )
        await self._throttled(source, caller)
        async with self._ground.database.reading() as session:
            row = await people.find_user(session, principal.id)
        stored = row.password if row is not None else None
        if not await self._hasher.verify(stored, command.current, known=True):
            await self._refused("wrong current password", caller, f"{principal.tenant}/{principal.name}")
            raise BadSignInError("the current password is wrong")
        passwords.require_strong(command.new, [principal.name, principal.tenant])
        password = await self._hasher.hash(command.new)

        async def work(session: storage.Session) -> None:
            await self._took_back(session, source)
            await people.update_user(session, principal.id, {"password": password})
            await sign_in.end_sessions(session, principal.id, but=principal.session)
            await sign_in.forget_sources(session, principal.id)
            await sign_in.note_source(session, principal.id, source.network, self._ground.now())
            await self._record(session, principal, "update", "password", what="user")

        await self._ground.change(work, principal.tenant)

    # steps

    async def _source(
        self, session: storage.Session, command: model.SignIn, caller: Caller, row: Row | None
    ) -> throttle.Source:
        network = audit.network(caller.address)
        user = row.id if row is not None else ""
        since = self._ground.now() - DEVICE_LIFETIME
        familiar = await sign_in.is_familiar(session, user, network, since)
        return throttle.Source(
            command.tenant, command.name, network, device=await self._device(caller.device, user), familiar=familiar
        )

    async def _throttled(self, source: throttle.Source, caller: Caller) -> None:
        policies = source.keys()
        now = self._ground.now()

        async def work(session: storage.Session) -> int:
            buckets = await sign_in.lock_buckets(session, list(policies))
            wait = max(bucket.blocked_until - now for bucket in buckets.values())
            if wait <= 0:
                for key, bucket in buckets.items():
                    await sign_in.save_bucket(session, key, throttle.attempted(bucket, policies[key], now))
            return max(0, wait)

        wait = await self._ground.database.write(work)
        if wait:
            await self._refused("too many wrong sign-ins", caller, f"{source.tenant}/{source.name}")
            raise SlowDownError(
                f"too many wrong sign-ins: the next one is looked at in {wait / 1000:.0f} s", retry_after=wait / 1000
            )

    async def _took_back(self, session: storage.Session, source: throttle.Source) -> None:
        own = source.own_key()
        await sign_in.clear_bucket(session, own)
        others = [key for key in set(source.keys()) if key != own]
        if others:
            for key, bucket in (await sign_in.lock_buckets(session, others)).items():
                await sign_in.save_bucket(session, key, throttle.taken_back(bucket, self._ground.now()))

    async def _device(self, mark: str, user: str) -> str:
        """Give the id of a device mark if it was made for this user and is not too old."""
        if not mark or not user or len(mark) > 1000:
            return ""
        await self._ground.sealer.ready(PLATFORM)
        try:
            inside = msgspec.json.decode(self._ground.sealer.open(PLATFORM, mark, _DEVICE), type=_Mark)
        except (errors.QiantangError, msgspec.MsgspecError, ValueError):
            return ""
        fresh = self._ground.now() - inside.made_at < DEVICE_LIFETIME
        return inside.id if inside.user == user and fresh else ""

    async def _new_session(self, user: str, caller: Caller) -> _Made:
        await self._ground.sealer.ready(PLATFORM)
        device = await self._device(caller.device, user) or ids.ordered_id()
        mark = _Mark(user=user, id=device, made_at=self._ground.now())
        sealed = self._ground.sealer.seal(PLATFORM, msgspec.json.encode(mark), _DEVICE)
        async with self._ground.database.reading() as session:
            replaced = await sign_in.find_session(session, tokens.digest(caller.session)) if caller.session else None
            owner = await people.find_user(session, replaced.user_id) if replaced is not None else None
        return _Made(
            token=ids.secret_token(),
            id=ids.ordered_id(),
            device=sealed,
            replaces=replaced,
            replaces_in=owner.tenant if owner is not None else "",
        )

    async def _write(self, work: Callable[[storage.Session], Awaitable[Row]], made: _Made) -> Row:
        """Write a new session; where it takes another one's place, every server hears that the other has ended."""
        if made.replaces is None:
            return await self._ground.database.write(work)
        return await self._ground.change(work, made.replaces_in)

    async def _begin(self, session: storage.Session, user: str, caller: Caller, made: _Made) -> Row:
        now = self._ground.now()
        if made.replaces is not None:
            await sign_in.end_session(session, made.replaces.user_id, made.replaces.id)
        await sign_in.insert_session(
            session,
            {
                "token_hash": tokens.digest(made.token),
                "id": made.id,
                "user_id": user,
                "created_at": now,
                "seen_at": now,
                "expires_at": now + int(self._ground.settings.session_absolute.total_seconds() * 1000),
                "address": caller.address[:64],
                "agent": caller.agent.encode("utf-8", "replace").decode().replace("\0", "")[:256],
            },
        )
        await sign_in.note_source(session, user, audit.network(caller.address), now)
        row = await people.find_user(session, user)
        if row is None:
            raise errors.InternalError("the account that signs in is not there")
        await audit.record(
            session,
            audit.AuditEvent(
                action="identity.session:create",
                target=home(row.tenant),
                actor_kind="user",
                actor_id=row.id,
                actor_name=row.name,
                address=caller.address,
                session=made.id,
                resource=f"identity/session/{made.id}",
            ),
        )
        return row

    async def _refused(self, reason: str, caller: Caller, name: str) -> None:
        await self._ground.denials.record(
            audit.AuditEvent(
                action="identity.session:create",
                target=access.PLATFORM,
                address=caller.address,
                resource=f"identity/user/{name}",
                outcome="deny",
                reason=reason,
            )
        )

    async def _record(
        self, session: storage.Session, principal: Principal, verb: str, resource: str, *, what: str = "session"
    ) -> None:
        event = audit.AuditEvent.by(
            principal, f"identity.{what}:{verb}", home(principal.tenant), resource=f"identity/{resource}"
        )
        await audit.record(session, event)


@dataclass(frozen=True, slots=True)
class _Made:
    """A session about to begin."""

    token: str = field(repr=False)
    id: str
    device: str = field(repr=False)
    replaces: Row | None = None
    replaces_in: str = ""


def require_user(principal: Principal) -> None:
    """Pass for a person.

    Raises:
        ForbiddenError: an application asks.
    """
    if principal.kind != "user":
        raise errors.ForbiddenError("this is for people: an application has neither sessions nor tokens of its own")


def require_interactive(principal: Principal, what: str) -> None:
    """Pass for a person who signed in with his password.

    Raises:
        InteractiveOnlyError: a token or an application asks.
    """
    if principal.kind != "user" or principal.via != "session":
        raise InteractiveOnlyError(f"sign in with your password to {what}: a token must not")


def me(principal: Principal) -> model.Me:
    """Give who asks, with all that he may do."""
    return model.Me(
        kind=principal.kind,
        id=principal.id,
        name=principal.name,
        tenant=principal.tenant,
        via=principal.via,
        roles=[
            model.HeldRole(role=role, pattern=pattern, permissions=permissions)
            for role, pattern, permissions in held_roles(principal.grants.grants)
        ],
    )


def _bad_first_start() -> BadFirstStartError:
    return BadFirstStartError(
        "the one-time token is wrong, used or older than its few minutes: restart the server for a new one"
    )


def _admin_grant(user: str, now: int) -> dict[str, Any]:
    return {
        "id": ids.ordered_id(),
        "user_id": user,
        "role": roles.PLATFORM_ADMIN,
        **access.PLATFORM._asdict(),
        "not_before": 0,
        "expires": 0,
        "granted_by": "first start",
        "reason": "first administrator of the platform",
        "created_at": now,
    }
