"""Site: what the pages of signing in stand on, and the steps that each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from litestar.datastructures import Cookie

from qiantang.kernel import errors
from qiantang_server.identity.pages import forms
from qiantang_server.identity.pages.forms import HttpRequest
from qiantang_server.identity.pages.sheet import Sheet
from qiantang_server.identity.pages.visitor import Visitor
from qiantang_server.identity.service import Caller, Identity, SignedIn, browser
from qiantang_server.kernel.access import Presented, Principal, cookies
from qiantang_server.kernel.capability import Kernel


@dataclass(frozen=True, slots=True)
class Site:
    """The open identity, the kernel that it stands on, and the path that the site is found below."""

    identity: Identity
    kernel: Kernel
    base_path: str = ""

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.identity.secure

    def sheet(self, request: HttpRequest, query: Mapping[str, str]) -> Sheet:
        """Begin a page; `query` is what its own address says and goes on saying."""
        visitor = Visitor.of(request.query_params, request.cookies, request.headers.get("accept-language", ""))
        return Sheet(
            base_path=self.base_path, secure=self.secure, visitor=visitor, path=request.scope["path"], query=query
        )

    def marked(self, request: HttpRequest) -> tuple[str, list[Cookie]]:
        """Give the mark for a page's form, with its cookie."""
        mark = forms.mark_of(request.cookies, secure=self.secure)
        return mark, [forms.mark_cookie(mark, secure=self.secure)]

    def caller(self, request: HttpRequest) -> Caller:
        """Give where a request comes from."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        address = request.client.host if request.client else ""
        return browser.caller_of(headers, request.cookies, address, secure=self.secure)

    async def signed_in(self, request: HttpRequest) -> Principal | None:
        """Give who is signed in already; None for nobody, and where the database that could tell is away."""
        cookie = cookies.session_cookie(request.cookies, secure=self.secure)
        if not cookie:
            return None
        presented = Presented(cookie=cookie, address=request.client.host if request.client else "")
        try:
            return await self.identity.authenticate(presented)
        except errors.QiantangError:
            return None

    def welcome(self, signed_in: SignedIn) -> list[Cookie]:
        """Give the cookies of somebody who has just signed in."""
        return [self._cookie(one) for one in browser.kept(signed_in, self.identity.settings, secure=self.secure)]

    def farewell(self) -> list[Cookie]:
        """Give what ends the session's cookie."""
        return [self._cookie(browser.forgotten(secure=self.secure))]

    def _cookie(self, kept: browser.Kept) -> Cookie:
        return Cookie(
            key=kept.name,
            value=kept.value,
            max_age=kept.seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )
