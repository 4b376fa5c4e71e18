"""Routes of proof: application credentials, the token exchange, personal access tokens."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from qiantang.identity import model
from qiantang.kernel import protocol, scope
from qiantang_server.identity.service import Identity
from qiantang_server.kernel.access import Principal

CREDENTIALS = (
    "/tenants/{tenant:str}/centers/{center:str}/applications/{application:str}"
    "/environments/{environment:str}/credentials"
)
_OWN = "everybody manages his own tokens"


def provide_place(
    tenant: FromPath[str], environment: FromPath[str], center: FromPath[str], application: FromPath[str]
) -> scope.Scope:
    """Give the application's place that the path names."""
    return scope.Scope.parse("/".join((tenant, environment, center, application)))


_PLACE = {"place": Provide(provide_place, sync_to_thread=False)}


@get(CREDENTIALS, opt={"permission": "identity.credential:list"}, dependencies=_PLACE)
async def list_credentials(
    identity: NamedDependency[Identity],
    place: NamedDependency[scope.Scope],
) -> model.Page[model.Credential]:
    """List an application's credentials in an environment."""
    return model.Page(items=await identity.credentials.list_credentials(place))


@post(CREDENTIALS, opt={"permission": "identity.credential:create"}, dependencies=_PLACE)
async def create_credential(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    place: NamedDependency[scope.Scope],
    data: JSONBody[model.NewCredential],
) -> Response[model.IssuedCredential]:
    """Make a credential; its secret is shown this once."""
    return _once(await identity.credentials.create_credential(principal, place, data), 201)


@post(CREDENTIALS + "/{credential:str}/rotate", opt={"permission": "identity.credential:create"}, dependencies=_PLACE)
async def rotate_credential(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    place: NamedDependency[scope.Scope],
    credential: FromPath[str],
    data: JSONBody[model.RotateCredential],
) -> Response[model.IssuedCredential]:
    """Make a credential in another one's place, which stays good for the overlap."""
    return _once(await identity.credentials.rotate_credential(principal, place, credential, data), 201)


@delete(CREDENTIALS + "/{credential:str}", opt={"permission": "identity.credential:delete"}, dependencies=_PLACE)
async def revoke_credential(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    place: NamedDependency[scope.Scope],
    credential: FromPath[str],
) -> None:
    """End a credential, and the tokens that were given for it."""
    await identity.credentials.revoke_credential(principal, place, credential)


@post("/token", opt={"public": "the signature over the request is the proof"}, status_code=200)
async def exchange_token(
    request: Request[Any, Any, Any], identity: NamedDependency[Identity], data: JSONBody[protocol.TokenRequest]
) -> Response[protocol.Token]:
    """Give an application a bearer token for a request signed with its credential's secret."""
    address = request.client.host if request.client else ""
    return _once(await identity.credentials.exchange(data, address), 200)


@get("/tokens", opt={"authenticated": _OWN})
async def list_tokens(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity]
) -> model.Page[model.AccessToken]:
    """List the own access tokens."""
    return model.Page(items=await identity.access_tokens.list_tokens(principal))


@post("/tokens", opt={"authenticated": _OWN})
async def create_token(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], data: JSONBody[model.NewAccessToken]
) -> Response[model.IssuedAccessToken]:
    """Make an access token; it is shown this once."""
    return _once(await identity.access_tokens.create_token(principal, data), 201)


@delete("/tokens/{token:str}", opt={"authenticated": _OWN})
async def delete_token(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], token: FromPath[str]
) -> None:
    """End one of the own access tokens."""
    await identity.access_tokens.delete_token(principal, token)


def _once(content: Any, status: int) -> Response[Any]:
    """Answer with a secret that no cache on the way may keep."""
    return Response(content, status_code=status, headers={"Cache-Control": "no-store"})


ROUTES = [
    list_credentials,
    create_credential,
    rotate_credential,
    revoke_credential,
    exchange_token,
    list_tokens,
    create_token,
    delete_token,
]
