"""Routes of calls between services: tokens for those who call, keys for those who answer."""

from __future__ import annotations

from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody

from qiantang.rpc.model.kinds import PublicKeys, Token, TokenRequest
from qiantang_server.kernel.access import Principal
from qiantang_server.rpc.service import CallTokens

_UNKEPT = {"Cache-Control": "no-store"}


@post("/tokens", opt={"authenticated": "an application gets a token of its own"}, status_code=200)
async def issue_call_token(
    principal: NamedDependency[Principal], tokens: NamedDependency[CallTokens], data: JSONBody[TokenRequest]
) -> Response[Token]:
    """Give an application a token that tells providers who calls; with a key, whoever shows it must prove to hold that."""
    return Response(await tokens.issue(principal, data), headers=_UNKEPT)


@get("/keys", opt={"authenticated": "the keys are public"})
async def list_call_keys(tokens: NamedDependency[CallTokens]) -> PublicKeys:
    """Give the public keys that tokens for calls are checked with."""
    return await tokens.public_keys()


def router(tokens: CallTokens) -> Router:
    """Make the routes."""
    given = Provide(lambda: tokens, sync_to_thread=False)
    return Router(
        path="/api/v1/rpc",
        route_handlers=[issue_call_token, list_call_keys],
        dependencies={"tokens": given},
        tags=["rpc"],
    )
