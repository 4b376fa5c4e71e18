"""Keys: what a provider knows tokens of callers by, from the platform."""

from __future__ import annotations

from typing import Any

from joserfc.jwk import KeySet

from qiantang.kernel import scope, wire
from qiantang.kernel.uplink import Standing, Uplink
from qiantang.rpc.errors import NodeAwayError
from qiantang.rpc.model.kinds import KEYS_PATH, PublicKeys
from qiantang.rpc.wire.proof import TokenGate

NO_KEYS = KeySet([])


class PlatformGate(TokenGate):
    """Admits applications of one tenant and environment that the platform gave a token. Of one event loop."""

    def __init__(self, uplink: Uplink, place: scope.Scope) -> None:
        super().__init__(place.tenant, place.environment, lambda: self._known)
        self._known = NO_KEYS
        self._standing = Standing(
            "keys of callers",
            lambda: self._ask(uplink),
            lambda told: told.again_in,
        )

    async def open(self, within: float) -> None:
        """Ask for the keys; returns after so many seconds without them, and asks on. Until they are there nobody is admitted."""
        await self._standing.open(within)

    async def close(self) -> None:
        """Ask for no more."""
        await self._standing.close()

    def _claims(self, token: str) -> dict[str, Any]:
        if self._known is NO_KEYS:
            raise NodeAwayError("this node has not been told yet by what it knows callers: another one answers")
        return super()._claims(token)

    async def _ask(self, uplink: Uplink) -> PublicKeys:
        told = await uplink.request("GET", KEYS_PATH, None, PublicKeys)
        self._known = KeySet.import_key_set({"keys": [wire.builtins(one) for one in told.keys]})
        return told
