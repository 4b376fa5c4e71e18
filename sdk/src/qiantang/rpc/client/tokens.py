"""Tokens: what an application shows to the nodes it calls, from the platform, renewed at half of its time."""

from __future__ import annotations

from qiantang.kernel.uplink import Standing, Uplink
from qiantang.rpc.client.connection import Introduces
from qiantang.rpc.client.introducing import by_token
from qiantang.rpc.errors import NoTokenError
from qiantang.rpc.model.kinds import TOKEN_PATH, Token, TokenRequest
from qiantang.rpc.wire.proof import CallerKey


class CallerTokens:
    """Of one process, with a pair of keys of its own. Of one event loop; `introduce` may be used from any thread."""

    def __init__(self, uplink: Uplink, instance: str) -> None:
        key = CallerKey()
        request = TokenRequest(public=key.public)
        self._standing = Standing(
            "token for calls",
            lambda: uplink.request("POST", TOKEN_PATH, request, Token, idempotent=True),
            lambda token: token.expires_in / 2,
        )
        self.introduce: Introduces = by_token(self._token, key, instance)

    async def open(self, within: float) -> None:
        """Ask for the first one; returns after so many seconds without it, and asks on."""
        await self._standing.open(within)

    async def close(self) -> None:
        """Ask for no more."""
        await self._standing.close()

    def _token(self) -> str:
        if self._standing.value is None:
            raise NoTokenError("the control plane has not given this application a token for its calls yet")
        return self._standing.value.token
