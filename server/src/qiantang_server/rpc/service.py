"""Service: tokens with which applications prove to each other who they are, and the public keys to check them with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from joserfc.jwk import OKPKey

from qiantang.kernel import errors, scope
from qiantang.rpc.model.kinds import PublicKey, PublicKeys, Token, TokenRequest
from qiantang.rpc.wire import proof
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.sealing import KeyPurpose, RotatingKeys
from qiantang_server.rpc.settings import RpcSettings
from qiantang_server.rpc.store import signing_keys

SETTLE: Final = 15 * 60 * 1000
"""A new key signs nothing before all providers know it, in milliseconds: they ask for keys three times in that."""
RECHECK: Final = 2_000


class CallTokens:
    """Signs tokens for the calls of applications. A token tells who calls; whether he may is the provider's to say."""

    def __init__(
        self, database: storage.Database, sealer: access.Sealer, settings: RpcSettings, now: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._now = now
        lifetime = int(settings.token.total_seconds() * 1000)
        purpose = KeyPurpose(
            table=signing_keys,
            context="rpc/signing-key",
            make=lambda: OKPKey.generate_key("Ed25519").as_der(private=True),
            load=lambda raw, key: OKPKey.import_key(raw, {"kid": key}),
            kept=lifetime + SETTLE,
        )
        self._keys = RotatingKeys(database, sealer, purpose, now, RECHECK)

    async def open(self) -> None:
        """Load the keys; make the first one."""
        await self._keys.open()

    async def rotate(self) -> None:
        """Make a new key when the newest is old. A job's step."""
        await self._keys.rotate()

    async def issue(self, principal: Principal, request: TokenRequest) -> Token:
        """Give an application its token.

        Raises:
            ForbiddenError: it is not an application that asks.
        """
        application = _application(principal)
        await self._keys.look_again()
        key = self._keys.keys[self._keys.settled(SETTLE)]
        seconds = self._settings.token.total_seconds()
        token = proof.issue(application, request.public, key, now=self._now() / 1000, seconds=seconds)
        return Token(token=token, expires_in=seconds)

    async def public_keys(self) -> PublicKeys:
        """Give the keys that tokens are signed with, those of the future among them."""
        await self._keys.look_again()
        keys = [PublicKey(kid=name, x=str(key.as_dict(private=False)["x"])) for name, key in self._keys.keys.items()]
        return PublicKeys(keys=keys, again_in=SETTLE / 3000)


def _application(principal: Principal) -> scope.Scope:
    if principal.scope is None:
        raise errors.ForbiddenError("tokens for calls are given to applications: ask with an application's credential")
    return principal.scope
