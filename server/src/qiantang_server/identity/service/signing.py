"""Signing: bearer tokens (JWT, HS256) and the keys that every server shares through the database, sealed."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from qiantang.identity.errors import TokenEndedError
from qiantang.kernel import ids
from qiantang_server.identity.service.ground import Ground
from qiantang_server.identity.store import proof
from qiantang_server.kernel import storage

KEYRING = "*"
"""The name under which the platform's own secrets are sealed."""

_DAY = 24 * 3600 * 1000
KEY_LIFETIME = 30 * _DAY
_ISSUER = "qiantang"
MAX_LENGTH = 4096


def _context(key: str) -> str:
    return f"identity/signing-key/{key}"


class SigningKeys:
    """Signs with the newest key, checks with every key that is kept. A key of another server is found when it is
    met.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._keys: dict[str, OctKey] = {}
        self._newest = ""
        self._newest_made_at = 0
        self._looked_at = 0
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Load the keys; make the first one."""
        await self._load()
        await self.rotate()

    async def rotate(self) -> None:
        """Make a new key when the newest is old; remove keys that no token can be signed with any more. A job's
        step.
        """
        await self._load()
        now = self._ground.now()
        if self._newest and now - self._newest_made_at < KEY_LIFETIME:
            return
        await self._ground.sealer.ready(KEYRING)
        key = ids.ordered_id()
        row = {"id": key, "sealed": self._ground.sealer.seal(KEYRING, os.urandom(32), _context(key)), "created_at": now}

        async def work(session: storage.Session) -> None:
            await proof.insert_signing_key(session, row)
            await proof.expire_signing_keys(session, now - KEY_LIFETIME - _DAY)

        await self._ground.database.write(work)
        await self._load()

    def sign(self, claims: dict[str, Any]) -> str:
        """Give a token that says `claims`."""
        key = self._newest
        return jwt.encode({"alg": "HS256", "kid": key}, {**claims, "iss": _ISSUER}, self._keys[key])

    async def read(self, token: str) -> dict[str, Any]:
        """Give what a token says, if one of ours signed it. Its expiry is the caller's to check.

        Raises:
            TokenEndedError: not one of ours, or signed by a key that is gone.
        """
        if len(token) > MAX_LENGTH or token.count(".") != 2:
            raise _refused()
        claims = self._checked(token)
        if claims is None and await self._look_again():
            claims = self._checked(token)
        if claims is None:
            raise _refused()
        return claims

    def _checked(self, token: str) -> dict[str, Any] | None:
        def find(header: Any) -> OctKey:
            return self._keys[header.headers()["kid"]]

        try:
            claims = jwt.decode(token, find, algorithms=["HS256"]).claims
        except (JoseError, ValueError, KeyError, TypeError):
            return None
        return claims if claims.get("iss") == _ISSUER else None

    async def _look_again(self) -> bool:
        """Load the keys once more, at most every few seconds; say whether there are other ones."""
        if abs(self._ground.now() - self._looked_at) < self._ground.settings.recheck.total_seconds() * 1000:
            return False
        before = set(self._keys)
        await self._load()
        return set(self._keys) != before

    async def _load(self) -> None:
        async with self._lock:
            async with self._ground.database.reading() as session:
                rows = await proof.signing_keys(session)
            self._looked_at = self._ground.now()
            if {row.id for row in rows} == set(self._keys):
                return
            await self._ground.sealer.ready(KEYRING)
            self._keys = {
                row.id: self._keys.get(row.id)
                or OctKey.import_key(self._ground.sealer.open(KEYRING, row.sealed, _context(row.id)))
                for row in rows
            }
            self._newest = rows[0].id if rows else ""
            self._newest_made_at = int(rows[0].created_at) if rows else 0


def _refused() -> TokenEndedError:
    return TokenEndedError("the bearer token was not signed by this platform, or its key is gone: ask for a new one")
