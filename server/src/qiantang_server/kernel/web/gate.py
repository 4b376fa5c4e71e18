"""Gate: who asks, and may he? In front of every route; a route that does not say what it needs is never built.

A route says it in its `opt`: `permission` ("<capability>.<kind>:<verb>"), or `verb` below a controller that says
`capability` and `kind`; or `authenticated` or `public` with the reason. The place comes from the path parameters tenant,
environment, center and application. A route that takes bodies over a megabyte says `large`.
"""

# pyright: reportUnknownMemberType=false
# Litestar leaves some of its types open

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, cast

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

from qiantang.kernel import errors, ids
from qiantang.kernel import scope as scope_names
from qiantang_server.kernel import access, audit
from qiantang_server.kernel.access import Authenticator, Presented, Principal, Target, cookies, csrf

log = logging.getLogger(__name__)
PLACES = ("tenant", "environment", "center", "application")
REQUEST_ID_LENGTH = 64
AWAY_HEADER = "X-Qiantang-Away"
"""Says "1" where a page asks by itself while nobody uses it."""
SMALL_BODY = 1 << 20
"""What a route takes that does not say `large`."""
LARGE_BODY = 24 << 20


def needed_permission(opt: dict[str, Any]) -> str | None:
    """Give the permission that a route needs; None where being known, or nothing at all, is enough."""
    if "permission" in opt:
        return str(opt["permission"])
    if "verb" in opt and "kind" in opt:
        return f"{opt['capability']}.{opt['kind']}:{opt['verb']}"
    return None


def require_declared(handlers: Iterable[BaseRouteHandler], permissions: Iterable[str]) -> None:
    """Pass where every route says what it needs, in permissions that exist.

    Raises:
        MisconfiguredError: names the routes that do not.
    """
    known = set(permissions)
    wrong: list[str] = []
    for handler in handlers:
        needed = needed_permission(handler.opt)
        if needed is None and not (handler.opt.get("public") or handler.opt.get("authenticated")):
            wrong.append(f"{handler}: says neither permission nor why it needs none")
        elif needed is not None and needed not in known:
            wrong.append(f"{handler}: {needed} is no declared permission")
    if wrong:
        raise errors.MisconfiguredError("routes without a declared permission: " + "; ".join(sorted(wrong)))


class CrossSiteError(errors.ForbiddenError):
    """An unsafe request with a cookie that did not come from this site's own pages."""

    code = "access.cross_site"


class Gate:
    """ASGI middleware that authenticates, authorizes, bounds the body, and gives each request an id."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator,
        denials: audit.Denials,
        secure: bool,
        max_body: int = LARGE_BODY,
    ) -> None:
        self.app = app
        self._max_body = max_body
        self._authenticator = authenticator
        self._denials = denials
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or raise what the problem renderer answers with."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers.from_scope(scope)
        request_id = _request_id(headers)
        scope["request_id"] = request_id  # type: ignore[typeddict-unknown-key]
        audit.CORRELATION.set(audit.Correlation(request_id, _trace_id(headers)))

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableScopeHeaders.from_message(message)["X-Request-Id"] = request_id
            await send(message)

        handler = cast("BaseRouteHandler", scope["route_handler"])
        opt = handler.opt
        if not opt.get("public"):
            scope["user"] = await self._admit(scope, headers, opt)
        limit = self._max_body if opt.get("large") else min(SMALL_BODY, self._max_body)
        await self.app(scope, _limited(receive, headers, limit), tagged)

    async def _admit(self, scope: Scope, headers: Headers, opt: dict[str, Any]) -> Principal:
        presented = self._presented(scope, headers)
        principal = await self._authenticator.authenticate(presented)
        scope["presented"] = presented  # type: ignore[typeddict-unknown-key]
        if not presented.bearer:
            reason = csrf.refused(str(scope.get("method", "GET")), headers)
            if reason:
                raise CrossSiteError(f"refused, since the request could be another site's: {reason}")
        target = Target(*(str(scope["path_params"].get(part, scope_names.ANY)) for part in PLACES))
        try:
            _require(principal, needed_permission(opt), target)
        except errors.QiantangError as error:
            await self._denials.refused(principal, error)
            raise
        for part in PLACES:
            if part in scope["path_params"]:
                scope_names.check_name(str(scope["path_params"][part]), part)
        return principal

    def _presented(self, scope: Scope, headers: Headers) -> Presented:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        client = scope.get("client")
        return Presented(
            bearer=bearer.strip() if kind.lower() == "bearer" else "",
            cookie=cookies.session_cookie(_cookies(headers.get("cookie", "")), secure=self._secure),
            address=client[0] if client else "",
            in_use=headers.get(AWAY_HEADER) != "1",
        )


def _too_large(limit: int) -> errors.TooLargeError:
    return errors.TooLargeError(f"the body is over the limit of {limit:,} bytes")


def _limited(receive: Receive, headers: Headers, limit: int) -> Receive:
    """Give what receives a body up to a limit.

    Raises:
        TooLargeError: at once where the length was said, else when what came is over the limit.
    """
    said = headers.get("content-length", "")
    if said.isdecimal() and (len(said) > 15 or int(said) > limit):
        raise _too_large(limit)
    taken = 0

    async def limited() -> ReceiveMessage:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message["body"])
            if taken > limit:
                raise _too_large(limit)
        return message

    return limited


def _require(principal: Principal, permission: str | None, target: Target) -> None:
    """Pass where the principal has the permission; where none is needed, still only if he may know of the tenant at all."""
    if permission is not None:
        access.require(principal, permission, target)
    else:
        access.require_known(principal, "tenant", target)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    if 0 < len(given) <= REQUEST_ID_LENGTH and given.isascii() and given.replace("-", "").isalnum():
        return given
    return ids.ordered_id()


def _cookies(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(";") if "=" in part)
    return {name: value for name, _equals, value in pairs}


def _trace_id(headers: Headers) -> str:
    parts = headers.get("traceparent", "").split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 and parts[1].isalnum() else ""
