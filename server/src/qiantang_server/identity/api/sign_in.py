"""Routes of signing in: first start, login, logout, who am I, sessions, the own password."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from qiantang.identity import model
from qiantang.kernel import errors
from qiantang_server.identity.service import Caller, Identity, SignedIn, browser
from qiantang_server.identity.service.sign_in import me
from qiantang_server.kernel.access import Presented, Principal, csrf

HttpRequest = Request[Any, Any, Any]
_OWN = "everybody may ask about himself"


class ForeignSiteError(errors.ForbiddenError):
    """Another site's page tried to sign somebody in."""

    code = "identity.foreign_site"


def _caller(request: HttpRequest, identity: Identity) -> Caller:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "origin" in headers or "sec-fetch-site" in headers:
        reason = csrf.refused(request.method, headers)
        if reason:
            raise ForeignSiteError(f"sign in from the platform's own pages: {reason}")
    address = request.client.host if request.client else ""
    return browser.caller_of(headers, request.cookies, address, secure=identity.secure)


def _cookie(kept: browser.Kept, *, secure: bool) -> Cookie:
    return Cookie(
        key=kept.name, value=kept.value, max_age=kept.seconds, path="/", secure=secure, httponly=True, samesite="lax"
    )


async def _welcome(identity: Identity, signed_in: SignedIn, caller: Caller) -> Response[model.Me]:
    principal = await identity.authenticate(Presented(cookie=signed_in.session, address=caller.address))
    secure = identity.secure
    return Response(
        me(principal),
        cookies=[_cookie(one, secure=secure) for one in browser.kept(signed_in, identity.settings, secure=secure)],
        headers={"Cache-Control": "no-store"},
    )


@post("/first-start", opt={"public": "there is nobody yet; the one-time token is the proof"}, status_code=200)
async def first_start(
    request: HttpRequest, identity: NamedDependency[Identity], data: JSONBody[model.FirstStart]
) -> Response[model.Me]:
    """Make the first administrator of the platform and sign him in."""
    caller = _caller(request, identity)
    return await _welcome(identity, await identity.signing_in.first_start(data, caller), caller)


@post("/login", opt={"public": "the password is the proof"}, status_code=200)
async def login(
    request: HttpRequest, identity: NamedDependency[Identity], data: JSONBody[model.SignIn]
) -> Response[model.Me]:
    """Sign in with a password; the answer sets the session's cookie."""
    caller = _caller(request, identity)
    return await _welcome(identity, await identity.signing_in.sign_in(data, caller), caller)


@post("/logout", opt={"authenticated": _OWN}, status_code=204)
async def logout(principal: NamedDependency[Principal], identity: NamedDependency[Identity]) -> Response[None]:
    """End the session that asks, and have the browser forget its cookie."""
    await identity.signing_in.sign_out(principal)
    gone = _cookie(browser.forgotten(secure=identity.secure), secure=identity.secure)
    return Response(None, status_code=204, cookies=[gone])


@get("/me", opt={"authenticated": _OWN})
async def who_am_i(principal: NamedDependency[Principal]) -> model.Me:
    """Say who asks, and all that he may do."""
    return me(principal)


@post("/me/explain", opt={"authenticated": _OWN}, status_code=200)
async def explain_me(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], data: JSONBody[model.AccessQuestion]
) -> model.AccessAnswer:
    """Say why who asks may do something, or what he lacks."""
    return await identity.people.answer(principal, data)


@post("/me/password", opt={"authenticated": _OWN}, status_code=204)
async def change_password(
    request: HttpRequest,
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    data: JSONBody[model.PasswordChange],
) -> None:
    """Change the own password; all other sessions end."""
    await identity.signing_in.change_password(principal, data, _caller(request, identity))


@get("/sessions", opt={"authenticated": _OWN})
async def list_sessions(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity]
) -> model.Page[model.SessionInfo]:
    """List the own sessions, newest first."""
    return model.Page(items=await identity.signing_in.list_sessions(principal))


@delete("/sessions/{session:str}", opt={"authenticated": _OWN})
async def end_session(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], session: FromPath[str]
) -> None:
    """End one of the own sessions."""
    await identity.signing_in.end_session(principal, session)


ROUTES = [first_start, login, logout, who_am_i, explain_me, change_password, list_sessions, end_session]
