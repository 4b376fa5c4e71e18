"""Signing: bearer tokens (JWT, HS256) and the keys that every server shares through the database, sealed."""

from __future__ import annotations

import os
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from qiantang.identity.errors import TokenEndedError
from qiantang_server.identity.service.ground import Ground
from qiantang_server.identity.store.tables import signing_keys
from qiantang_server.kernel.sealing import KeyPurpose, RotatingKeys

_DAY = 24 * 3600 * 1000
KEY_LIFETIME = 30 * _DAY
_ISSUER = "qiantang"
MAX_LENGTH = 4096


class SigningKeys:
    """Signs with the newest key, checks with every key that is kept. A key of another server is found when it is
    met.
    """

    def __init__(self, ground: Ground) -> None:
        purpose = KeyPurpose(
            table=signing_keys,
            context="identity/signing-key",
            make=lambda: os.urandom(32),
            load=lambda raw, _: OctKey.import_key(raw),
            lifetime=KEY_LIFETIME,
        )
        recheck = int(ground.settings.recheck.total_seconds() * 1000)
        self._keys = RotatingKeys(ground.database, ground.sealer, purpose, ground.now, recheck)

    async def open(self) -> None:
        """Load the keys; make the first one."""
        await self._keys.open()

    async def rotate(self) -> None:
        """Make a new key when the newest is old; remove keys that no token can be signed with any more. A job's
        step.
        """
        await self._keys.rotate()

    def sign(self, claims: dict[str, Any]) -> str:
        """Give a token that says `claims`."""
        key = self._keys.newest
        return jwt.encode({"alg": "HS256", "kid": key}, {**claims, "iss": _ISSUER}, self._keys.keys[key])

    async def read(self, token: str) -> dict[str, Any]:
        """Give what a token says, if one of ours signed it. Its expiry is the caller's to check.

        Raises:
            TokenEndedError: not one of ours, or signed by a key that is gone.
        """
        if len(token) > MAX_LENGTH or token.count(".") != 2:
            raise _refused()
        claims = self._checked(token)
        if claims is None and await self._keys.look_again():
            claims = self._checked(token)
        if claims is None:
            raise _refused()
        return claims

    def _checked(self, token: str) -> dict[str, Any] | None:
        def find(header: Any) -> OctKey:
            return self._keys.keys[header.headers()["kid"]]

        try:
            claims = jwt.decode(token, find, algorithms=["HS256"]).claims
        except (JoseError, ValueError, KeyError, TypeError):
            return None
        return claims if claims.get("iss") == _ISSUER else None


def _refused() -> TokenEndedError:
    return TokenEndedError("the bearer token was not signed by this platform, or its key is gone: ask for a new one")
