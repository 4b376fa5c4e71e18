"""Access tokens: what a person gives to his programs, with no more rights than he has himself."""

from __future__ import annotations

import secrets

import msgspec

from qiantang.identity import model
from qiantang.kernel import errors
from qiantang_server.identity.rules import tokens
from qiantang_server.identity.service.ground import Ground, missing
from qiantang_server.identity.service.people import home
from qiantang_server.identity.service.rights import place_of, role_lines
from qiantang_server.identity.service.sign_in import require_interactive, require_user
from qiantang_server.identity.store import proof
from qiantang_server.identity.store.proof import Row
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal, Target

MAX_TOKENS = 50
_DAY = 24 * 3600 * 1000


def shown_token(row: Row) -> model.AccessToken:
    """Give a token's row as it is shown: never its secret's hash."""
    return model.AccessToken(
        id=row.id,
        name=row.name,
        permissions=list(role_lines(row.permissions)),
        pattern=str(place_of(row)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


class AccessTokens:
    """Use cases of personal access tokens. Each is cut down to its owner's rights whenever it is used."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def list_tokens(self, principal: Principal) -> list[model.AccessToken]:
        """List the tokens of who asks, newest first."""
        require_user(principal)
        async with self._ground.database.reading() as session:
            return [shown_token(row) for row in await proof.list_tokens(session, principal.id)]

    async def create_token(self, principal: Principal, command: model.NewAccessToken) -> model.IssuedAccessToken:
        """Make a token; it is shown this once.

        Raises:
            InteractiveOnlyError: a token asks: it could make one that outlives it.
        """
        require_interactive(principal, "make a token")
        self._ground.permissions.check(command.permissions)
        pattern = Target.parse(command.pattern)
        token_id, secret = tokens.new_id(), secrets.token_hex(32)
        now = self._ground.now()
        row = {
            "id": token_id,
            "user_id": principal.id,
            "name": command.name,
            "secret_hash": tokens.digest(secret),
            "permissions": msgspec.json.encode(command.permissions).decode(),
            **pattern._asdict(),
            "created_at": now,
            "expires_at": now + command.lifetime_days * _DAY,
            "last_used_at": 0,
        }

        async def work(session: storage.Session) -> model.AccessToken:
            if len(await proof.list_tokens(session, principal.id)) >= MAX_TOKENS:
                raise errors.RejectedError(f"you have {MAX_TOKENS} tokens, which is the most one may have")
            await proof.insert_token(session, row)
            made = await proof.find_token(session, token_id)
            assert made is not None  # noqa: S101  # inserted in this transaction
            await self._record(session, principal, "create", token_id, command.name)
            return shown_token(made)

        info = await self._ground.change(work, principal.tenant)
        return model.IssuedAccessToken(token=tokens.write(token_id, secret), info=info)

    async def delete_token(self, principal: Principal, token: str) -> None:
        """End a token of who asks, on every server within seconds.

        Raises:
            NotFoundError: he has none of that id.
        """
        require_user(principal)

        async def work(session: storage.Session) -> None:
            if not await proof.delete_token(session, principal.id, token):
                raise missing("token", token)
            await self._record(session, principal, "delete", token, "")

        await self._ground.change(work, principal.tenant)

    async def _record(self, session: storage.Session, principal: Principal, verb: str, token: str, name: str) -> None:
        event = audit.AuditEvent.by(
            principal,
            f"identity.access_token:{verb}",
            home(principal.tenant),
            resource=f"identity/access-token/{token}",
            reason=name,
        )
        await audit.record(session, event)
