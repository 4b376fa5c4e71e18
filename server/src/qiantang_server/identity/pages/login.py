"""Login: the pages of signing in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency

from qiantang.identity import model
from qiantang.identity.errors import BadSignInError, SlowDownError
from qiantang.kernel import errors
from qiantang_server.identity.pages import forms
from qiantang_server.identity.pages.forms import HttpRequest
from qiantang_server.identity.pages.machine import VERSION
from qiantang_server.identity.pages.sheet import Sheet, sent_to
from qiantang_server.identity.pages.site import Site
from qiantang_server.identity.pages.visitor import local_path, named_tenant
from qiantang_server.identity.pages.words import Words

Page = Response[str] | Response[bytes]
FOREIGN = 403


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a page says above its form: a note by its key, a wait in seconds; or that name and password are wrong."""

    status: int = 200
    note: str = ""
    wait: float = 0.0
    wrong: bool = False
    nobody: bool = False


FINE = Trouble()
_FOREIGN = Trouble(FOREIGN, note="form.foreign")
_WRONG = Trouble(BadSignInError.status, wrong=True)
_AWAY = Trouble(errors.UnavailableError.status, note="form.away")


@get("/login", opt={"public": "there is nobody yet; the form asks who comes"}, include_in_schema=False)
async def show_login(request: HttpRequest, site: NamedDependency[Site]) -> Page:
    """Show the form, or send on who is signed in already."""
    goal = local_path(request.query_params.get("next", ""), site.base_path)
    if await site.signed_in(request) is not None:
        return sent_to(goal)
    return await _login(site, request, goal, {}, Trouble(nobody=await _nobody_yet(site)))


@post("/login", opt={"public": "the password is the proof"}, include_in_schema=False)
async def login(request: HttpRequest, site: NamedDependency[Site]) -> Page:
    """Sign in and go on, or show the form again and say what is wrong."""
    form = await forms.read(request)
    goal = local_path(request.query_params.get("next", ""), site.base_path)
    if forms.foreign(request, form, secure=site.secure):
        return await _login(site, request, goal, form, _FOREIGN)
    tenant = named_tenant(request.query_params.get("tenant", "")) or form.get("tenant", "").strip()
    said = {"name": form.get("name", "").strip(), "password": form.get("password", ""), "tenant": tenant}
    try:
        signed_in = await site.identity.signing_in.sign_in(_command(said), site.caller(request))
    except (BadSignInError, errors.InvalidRequestError):
        return await _login(site, request, goal, form, _WRONG)
    except SlowDownError as error:
        return await _login(site, request, goal, form, Trouble(error.status, wait=error.retry_after or 1.0))
    except errors.UnavailableError:
        return await _login(site, request, goal, form, _AWAY)
    return sent_to(goal, site.welcome(signed_in))


def _command(said: Mapping[str, str]) -> model.SignIn:
    try:
        return msgspec.convert(said, model.SignIn)
    except msgspec.ValidationError:  # longer than any name or password can be
        raise BadSignInError("name and password do not go together") from None


async def _nobody_yet(site: Site) -> bool:
    try:
        return await site.identity.signing_in.nobody_yet()
    except errors.QiantangError:
        return False


async def _login(
    site: Site, request: HttpRequest, goal: str, form: Mapping[str, str], trouble: Trouble = FINE
) -> Response[str]:
    tenant = named_tenant(request.query_params.get("tenant", ""))
    query = {"tenant": tenant, "next": goal if goal != f"{site.base_path}/" else ""}
    sheet = site.sheet(request, query)
    mark, cookies = site.marked(request)
    return sheet.write(
        "login.html",
        status=trouble.status,
        headers={"Retry-After": str(max(1, round(trouble.wait)))} if trouble.wait else {},
        cookies=cookies,
        action=sheet.address("/login", **query),
        mark=mark,
        tenant=tenant,
        goal=query["next"],
        name=form.get("name", ""),
        typed_tenant=form.get("tenant", ""),
        note=_note(sheet, trouble),
        wrong=trouble.wrong,
        nobody=trouble.nobody,
        **_server(site),
    )


def _note(sheet: Sheet, trouble: Trouble) -> str:
    say = Words(sheet.visitor.language)
    if trouble.wait:
        return say("login.slow", wait=say.duration(trouble.wait))
    return say(trouble.note) if trouble.note else ""


def _server(site: Site) -> dict[str, Any]:
    return {"serving": site.kernel.coordination.condition.ready, "version": VERSION, "node": site.kernel.node}


@get("/logout", opt={"public": "who is not signed in is sent to sign in"}, include_in_schema=False)
async def show_logout(request: HttpRequest, site: NamedDependency[Site]) -> Page:
    """Ask whether to sign out: a link alone, on whatever page, never signs anybody out."""
    return await _logout(request, site)


@post("/logout", opt={"public": "ends the session that the cookie names, if it is one"}, include_in_schema=False)
async def logout(request: HttpRequest, site: NamedDependency[Site]) -> Page:
    """End the session, have the browser forget it, and show the form of signing in."""
    form = await forms.read(request)
    if forms.foreign(request, form, secure=site.secure):
        return await _logout(request, site, _FOREIGN)
    principal = await site.signed_in(request)
    if principal is not None:
        try:
            await site.identity.signing_in.sign_out(principal)
        except errors.NotFoundError:  # ended meanwhile, elsewhere
            pass
        except errors.UnavailableError:
            return await _logout(request, site, _AWAY)
    return sent_to(f"{site.base_path}/login", site.farewell())


async def _logout(request: HttpRequest, site: Site, trouble: Trouble = FINE) -> Page:
    principal = await site.signed_in(request)
    if principal is None and trouble is not _AWAY:
        return sent_to(f"{site.base_path}/login")
    sheet = site.sheet(request, {})
    mark, cookies = site.marked(request)
    return sheet.write(
        "logout.html",
        status=trouble.status,
        cookies=cookies,
        action=sheet.address("/logout"),
        home=sheet.address("/"),
        mark=mark,
        note=_note(sheet, trouble),
        name=principal.name if principal is not None else "",
        **_server(site),
    )


ROUTES = [show_login, login, show_logout, logout]
