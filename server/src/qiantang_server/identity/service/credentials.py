"""Credentials: what applications prove themselves with, and the bearer tokens they are given for it."""

from __future__ import annotations

import hmac
from typing import Any

from qiantang.identity import model
from qiantang.identity.errors import (
    BadCredentialError,
    ClockSkewError,
    ReplayedError,
    TooManyCredentialsError,
)
from qiantang.kernel import errors, ids, protocol, scope
from qiantang_server.identity.rules import tokens
from qiantang_server.identity.service.authentication import require_credential
from qiantang_server.identity.service.estate import Estate
from qiantang_server.identity.service.ground import Ground, missing
from qiantang_server.identity.service.nonces import Nonces
from qiantang_server.identity.service.rights import place_of
from qiantang_server.identity.service.signing import SigningKeys
from qiantang_server.identity.service.usage import Usage
from qiantang_server.identity.store import proof
from qiantang_server.identity.store.proof import Row
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.access import Principal, Target

MAX_ACTIVE = 2
_NOBODY = bytes(32)


def _context(credential: str) -> str:
    return f"identity/credential/{credential}"


class Credentials:
    """Use cases of application credentials. The server keeps what checks a signature, never the secret itself."""

    def __init__(self, ground: Ground, estate: Estate, keys: SigningKeys, nonces: Nonces, usage: Usage) -> None:
        self._ground = ground
        self._estate = estate
        self._keys = keys
        self._nonces = nonces
        self._usage = usage

    async def list_credentials(self, place: scope.Scope) -> list[model.Credential]:
        """List an application's credentials in an environment, newest first, those that ended included."""
        async with self._ground.database.reading() as session:
            await self._estate.require_application(session, place)
            rows = await proof.list_credentials(session, Target.of(place))
        return [self._shown(row) for row in rows]

    async def create_credential(
        self, principal: Principal, place: scope.Scope, command: model.NewCredential
    ) -> model.IssuedCredential:
        """Make a credential; its secret is shown this once.

        Raises:
            TooManyCredentialsError: two are active already.
        """
        if command.expires_at and command.expires_at <= self._ground.now():
            raise errors.InvalidRequestError("the credential would have expired already")
        issued, row = await self._issued(principal, place, command.title, command.expires_at)

        async def work(session: storage.Session) -> None:
            await self._insert(session, principal, place, row)

        await self._ground.change(work, place.tenant)
        return issued

    async def rotate_credential(
        self, principal: Principal, place: scope.Scope, credential: str, command: model.RotateCredential
    ) -> model.IssuedCredential:
        """Make a credential in another one's place, which ends after the overlap.

        Raises:
            NotFoundError: the application has no such credential.
            TooManyCredentialsError: there is a second active one beside it.
        """
        ends = self._ground.now() + command.overlap_seconds * 1000

        async def find(session: storage.Session) -> Row:
            row = await self._found(session, place, credential)
            require_credential(row, self._ground.now())
            return row

        async with self._ground.database.reading() as session:
            old = await find(session)
        issued, row = await self._issued(principal, place, old.title, 0)

        async def work(session: storage.Session) -> None:
            current = await find(session)
            if not command.overlap_seconds:
                await proof.update_credential(session, credential, {"revoked_at": self._ground.now()})
            elif not current.expires_at or ends < current.expires_at:
                await proof.update_credential(session, credential, {"expires_at": ends})
            await self._insert(session, principal, place, row, instead_of=credential)

        await self._ground.change(work, place.tenant)
        return issued

    async def revoke_credential(self, principal: Principal, place: scope.Scope, credential: str) -> None:
        """End a credential at once; tokens that were given for it end within seconds on every server.

        Raises:
            NotFoundError: the application has no such credential.
        """

        async def work(session: storage.Session) -> None:
            row = await self._found(session, place, credential)
            if row.revoked_at:
                return
            await proof.update_credential(session, credential, {"revoked_at": self._ground.now()})
            await self._record(session, principal, "delete", place, credential)

        await self._ground.change(work, place.tenant)

    async def exchange(self, request: protocol.TokenRequest, address: str) -> protocol.Token:
        """Give a bearer token for a signed request.

        Raises:
            BadCredentialError: unknown, or not signed with its secret; which of the two is not said.
            ApplicationGoneError: the application was deleted.
            CredentialRevokedError: it was revoked.
            CredentialEndedError: it has expired, or its tenant is disabled.
            ClockSkewError: the caller's clock is too far off.
            ReplayedError: the nonce was used before.
        """
        await self._ground.pulse.beat()
        now = self._ground.now()
        row = await self._proven(request)
        if row is None:
            await self._refused("unknown credential or wrong signature", request, address)
            raise BadCredentialError("the credential is unknown, or the request was not signed with its secret")
        require_credential(row, now)
        await self._require_fresh(request, now, address)
        lifetime = int(self._ground.settings.token.total_seconds())
        if row.expires_at:
            lifetime = max(1, min(lifetime, (row.expires_at - now) // 1000))
        place = scope.Scope.parse(str(place_of(row)))
        issued = now // 1000
        claims = {"sub": row.id, "scope": str(place), "iat": issued, "exp": issued + lifetime, "jti": ids.ordered_id()}
        self._usage.note("credential", row.id, now)
        return protocol.Token(token=self._keys.sign(claims), expires_in=lifetime, scope=place, server_time=now)

    async def secret_fits(self, place: scope.Scope, credential: str, secret: str) -> bool:
        """Say whether a credential of an application is good and has this secret."""
        async with self._ground.database.reading() as session:
            row = await proof.find_credential(session, credential)
        if row is None or place_of(row) != Target.of(place):
            return False
        try:
            require_credential(row, self._ground.now())
        except errors.QiantangError:
            return False
        return hmac.compare_digest(await self._key(row), protocol.signing_key(secret))

    async def _proven(self, request: protocol.TokenRequest) -> Row | None:
        """Give the credential's row if its secret signed the request; takes the same steps if there is none."""
        async with self._ground.database.reading() as session:
            row = await proof.find_credential(session, request.credential)
        signature = protocol.sign(await self._key(row), request.credential, request.timestamp, request.nonce)
        signed = hmac.compare_digest(signature.encode(), request.signature.encode("utf-8", "replace"))
        return row if signed else None

    async def _key(self, row: Row | None) -> bytes:
        if row is None:
            return _NOBODY
        await self._ground.sealer.ready(row.tenant)
        return self._ground.sealer.open(row.tenant, row.sealed, _context(row.id))

    async def _require_fresh(self, request: protocol.TokenRequest, now: int, address: str) -> None:
        skew = int(self._ground.settings.clock_skew.total_seconds() * 1000)
        if abs(now - request.timestamp) > skew:
            raise ClockSkewError(
                f"your clock is {abs(now - request.timestamp) / 1000:.0f} s off; {skew // 1000} s are allowed",
                facts={"server_time": now},
            )
        # kept for as long as the timestamp could still pass, plus the same again for servers' clocks
        nonce = tokens.digest(f"{request.credential}\n{request.nonce}")
        if not await self._nonces.use(nonce, now + 3 * skew):
            await self._refused("replayed token request", request, address)
            raise ReplayedError("this token request was used before: sign a new one")

    async def _issued(
        self, principal: Principal, place: scope.Scope, title: str, expires_at: int
    ) -> tuple[model.IssuedCredential, dict[str, Any]]:
        credential = f"qtc-{ids.ordered_id()}"
        secret = ids.secret_token()
        await self._ground.sealer.ready(place.tenant)
        sealed = self._ground.sealer.seal(place.tenant, protocol.signing_key(secret), _context(credential))
        row = {
            "id": credential,
            **Target.of(place)._asdict(),
            "title": title,
            "sealed": sealed,
            "created_at": self._ground.now(),
            "created_by": principal.name[:128],
            "expires_at": expires_at,
            "revoked_at": 0,
            "last_used_at": 0,
        }
        return model.IssuedCredential(id=credential, secret=secret, scope=place, expires_at=expires_at), row

    async def _insert(
        self,
        session: storage.Session,
        principal: Principal,
        place: scope.Scope,
        row: dict[str, Any],
        *,
        instead_of: str = "",
    ) -> None:
        await self._estate.require_application(session, place)
        if await proof.count_active(session, Target.of(place), self._ground.now()) >= MAX_ACTIVE:
            raise TooManyCredentialsError(
                f"{place} has {MAX_ACTIVE} active credentials, which is the most it may have: revoke one first"
            )
        await proof.insert_credential(session, row)
        reason = f"in place of {instead_of}" if instead_of else ""
        await self._record(session, principal, "create", place, row["id"], reason=reason)

    async def _found(self, session: storage.Session, place: scope.Scope, credential: str) -> Row:
        row = await proof.find_credential(session, credential)
        if row is None or place_of(row) != Target.of(place):
            raise missing("credential", credential)
        return row

    def _shown(self, row: Row) -> model.Credential:
        now = self._ground.now()
        return model.Credential(
            id=row.id,
            title=row.title,
            active=not row.revoked_at and (not row.expires_at or now < row.expires_at),
            created_at=row.created_at,
            created_by=row.created_by,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=row.last_used_at,
        )

    async def _refused(self, reason: str, request: protocol.TokenRequest, address: str) -> None:
        await self._ground.denials.record(
            audit.AuditEvent(
                action="identity.token:create",
                target=access.PLATFORM,
                address=address,
                resource=f"identity/credential/{request.credential}",
                outcome="deny",
                reason=reason,
            )
        )

    async def _record(
        self,
        session: storage.Session,
        principal: Principal,
        verb: str,
        place: scope.Scope,
        credential: str,
        *,
        reason: str = "",
    ) -> None:
        event = audit.AuditEvent.by(
            principal,
            f"identity.credential:{verb}",
            Target.of(place),
            resource=f"identity/credential/{credential}",
            reason=reason,
        )
        await audit.record(session, event)
