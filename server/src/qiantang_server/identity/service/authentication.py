"""Authentication: turns a session cookie, a bearer token or a personal access token into a principal."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass, replace

from qiantang.identity.errors import (
    ApplicationGoneError,
    CredentialEndedError,
    CredentialRevokedError,
    TokenEndedError,
)
from qiantang.kernel import errors, scope
from qiantang_server.identity.rules import granting, roles, tokens
from qiantang_server.identity.service.ground import Ground
from qiantang_server.identity.service.rights import FOREVER, place_of, rights_of, role_lines
from qiantang_server.identity.service.signing import SigningKeys
from qiantang_server.identity.service.usage import Kind, Usage
from qiantang_server.identity.store import estate, people, proof, sign_in
from qiantang_server.identity.store.proof import Row
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import CompiledGrants, Grant, Presented, Principal, Target

_REMEMBERED = 20_000


@dataclass(slots=True)
class _Known:
    """A principal that was looked up. Good as long as no change of rights, no end and no idleness got in between."""

    principal: Principal
    tenant: str
    until: int
    kind: Kind
    key: str
    idle: int = 0
    idle_until: int = FOREVER
    counter: int = 0
    generation: int = 0


class Authentication:
    """Knows principals by their proof; remembers a bounded number of them and looks again when rights were changed."""

    def __init__(self, ground: Ground, keys: SigningKeys, usage: Usage) -> None:
        self._ground = ground
        self._keys = keys
        self._usage = usage
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._shared: OrderedDict[scope.Scope, CompiledGrants] = OrderedDict()

    async def authenticate(self, credentials: Presented) -> Principal:
        """Give the principal behind what was presented.

        Raises:
            UnauthenticatedError: nothing was presented, or it is unknown, expired or revoked.
            ApplicationGoneError: the application that it speaks for was deleted.
            UnavailableError: the database that could tell is away.
        """
        proof_text = credentials.bearer or credentials.cookie
        if not proof_text:
            raise errors.UnauthenticatedError("sign in first: neither a bearer token nor a session cookie was sent")
        await self._ground.pulse.beat()
        # told apart by where it was sent: a cookie is no bearer token
        where = "bearer" if credentials.bearer else "cookie"
        name = hashlib.sha256(f"{where}\n{proof_text}".encode("utf-8", "replace")).hexdigest()
        known = self._known.get(name)
        now = self._ground.now()
        if known is None or not self._is_good(known, now):
            self._known.pop(name, None)
            known = await self._look_up(credentials, now)
            self._remember(name, known)
        else:
            self._known.move_to_end(name)
        if known.idle and credentials.in_use:
            known.idle_until = now + known.idle
        if credentials.in_use or not known.idle:
            self._usage.note(known.kind, known.key, now)
        return replace(known.principal, address=credentials.address)

    def _is_good(self, known: _Known, now: int) -> bool:
        stands = self._ground.pulse.stands(known.tenant, known.counter, known.generation)
        return stands and now < min(known.until, known.idle_until)

    def _remember(self, name: str, known: _Known) -> None:
        self._known[name] = known
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _look_up(self, credentials: Presented, now: int) -> _Known:
        # read before the rows: a change that comes in between makes what is found here be looked up once more
        counter, generation = self._ground.pulse.counter, self._ground.pulse.generation
        if credentials.bearer.startswith(tokens.PREFIX):
            known = await self._of_access_token(credentials.bearer, now)
        elif credentials.bearer:
            known = await self._of_bearer(credentials.bearer, now)
        else:
            known = await self._of_cookie(credentials.cookie, now)
        known.counter, known.generation = counter, generation
        return known

    async def _of_cookie(self, cookie: str, now: int) -> _Known:
        digest = tokens.digest(cookie)
        idle = int(self._ground.settings.session_idle.total_seconds() * 1000)
        async with self._ground.database.reading() as session:
            row = await sign_in.find_session(session, digest)
            if row is None or now >= row.expires_at or now >= row.seen_at + idle:
                raise TokenEndedError("the session has ended: sign in again")
            user = await self._user(session, row.user_id)
            rights = await rights_of(session, user.id, now)
        principal = Principal(
            kind="user",
            id=user.id,
            name=user.name,
            tenant=user.tenant,
            grants=rights.compiled(self._ground.permissions, user.tenant),
            session=row.id,
            via="session",
        )
        until = min(int(row.expires_at), rights.until)
        return _Known(principal, user.tenant, until, "session", digest, idle=idle, idle_until=int(row.seen_at) + idle)

    async def _of_access_token(self, bearer: str, now: int) -> _Known:
        parts = tokens.read(bearer)
        if parts is None:
            raise TokenEndedError("this is not a whole access token: copy it again")
        token_id, secret = parts
        async with self._ground.database.reading() as session:
            row = await proof.find_token(session, token_id)
            good = hmac.compare_digest(row.secret_hash if row is not None else "0" * 64, tokens.digest(secret))
            if row is None or not good or now >= row.expires_at:
                raise TokenEndedError("the access token is unknown, expired or revoked: make a new one")
            user = await self._user(session, row.user_id)
            rights = await rights_of(session, user.id, now)
        permissions = self._ground.permissions
        kept = granting.narrowed(rights.grants, permissions, role_lines(row.permissions), place_of(row))
        principal = Principal(
            kind="user",
            id=user.id,
            name=user.name,
            tenant=user.tenant,
            grants=CompiledGrants(kept, permissions, user.tenant),
            session=row.id,
            via="token",
        )
        return _Known(principal, user.tenant, min(int(row.expires_at), rights.until), "token", row.id)

    async def may(self, session: storage.Session, user: str, permission: str, target: Target) -> bool:
        """Say whether an account that is open holds a permission now, however its owner signs in."""
        try:
            row = await self._user(session, user)
        except TokenEndedError:
            return False
        rights = await rights_of(session, row.id, self._ground.now())
        return rights.compiled(self._ground.permissions, row.tenant).allows(permission, target)

    async def _user(self, session: storage.Session, user: str) -> Row:
        row = await people.find_user(session, user)
        if row is None or row.disabled or (row.tenant and not await tenant_is_open(session, row.tenant)):
            raise TokenEndedError("the account is disabled or gone")
        return row

    async def _of_bearer(self, bearer: str, now: int) -> _Known:
        claims = await self._keys.read(bearer)
        expires, credential = claims.get("exp"), claims.get("sub")
        if not isinstance(expires, int) or not isinstance(credential, str) or now >= expires * 1000:
            raise TokenEndedError("the bearer token has expired: ask for a new one")
        async with self._ground.database.reading() as session:
            row = await proof.find_credential(session, credential)
        if row is None:
            raise CredentialEndedError("the credential that this token was given for is no more")
        require_credential(row, now)
        place = scope.Scope(
            tenant=row.tenant, environment=row.environment, center=row.center, application=row.application
        )
        principal = Principal(
            kind="application",
            id=row.id,
            name=str(place),
            tenant=row.tenant,
            grants=self._application_grants(place),
            session=row.id,
            via="credential",
            scope=place,
        )
        until = min(expires * 1000, int(row.expires_at) or FOREVER)
        return _Known(principal, row.tenant, until, "credential", row.id)

    def _application_grants(self, place: scope.Scope) -> CompiledGrants:
        """Share what the instances of one application may do: it is the same for all of them."""
        grants = self._shared.get(place)
        if grants is None:
            own = Grant(roles.APPLICATION, Target.of(place), role="application")
            grants = self._shared[place] = CompiledGrants([own], self._ground.permissions, place.tenant)
            if len(self._shared) > _REMEMBERED:
                self._shared.popitem(last=False)
        return grants


async def tenant_is_open(session: storage.Session, tenant: str) -> bool:
    """Say whether a tenant is there and not disabled."""
    row = await estate.find(session, "tenant", tenant)
    return row is not None and not row.disabled


def require_credential(row: Row, now: int) -> None:
    """Pass where a credential, as `proof.find_credential` gives it, is good at a moment.

    Raises:
        ApplicationGoneError: its application or environment was deleted.
        CredentialRevokedError: it was revoked.
        CredentialEndedError: it has expired, or its tenant is disabled.
    """
    if row.buried:
        raise ApplicationGoneError(f"{place_of(row)} was deleted: do not use what was received for it")
    if row.revoked_at:
        raise CredentialRevokedError(f"credential {row.id} was revoked: give the application another one")
    if row.expires_at and now >= row.expires_at:
        raise CredentialEndedError(f"credential {row.id} has expired: give the application another one")
    if row.tenant_disabled:
        raise CredentialEndedError(f"tenant {row.tenant} is disabled")
