"""First: the page of a first start, where the one-time link makes the administrator."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency

from qiantang.identity import model
from qiantang.identity.errors import BadFirstStartError, WeakPasswordError
from qiantang.kernel import errors
from qiantang_server.identity.pages import forms, machine
from qiantang_server.identity.pages.forms import HttpRequest
from qiantang_server.identity.pages.login import FOREIGN, Page
from qiantang_server.identity.pages.sheet import PRIVATE, Sheet, sent_to
from qiantang_server.identity.pages.site import Site

_WEAK = {"short", "long", "guessed", "name"}
OVER = 410


@get("/first", opt={"public": "there is nobody yet; the one-time token is the proof"}, include_in_schema=False)
async def show_first(request: HttpRequest, site: NamedDependency[Site]) -> Page:
    """Show the form while the link is good."""
    return await _form(site, request, request.query_params.get("token", "")[:128], {}, {})


@post("/first", opt={"public": "there is nobody yet; the one-time token is the proof"}, include_in_schema=False)
async def first(request: HttpRequest, site: NamedDependency[Site]) -> Page:
    """Make the administrator, sign him in and go to the first page, or say what is wrong."""
    form = await forms.read(request)
    token = form.get("token", "")[:128]
    if forms.foreign(request, form, secure=site.secure, without_origin=True):
        return await _form(site, request, token, form, {"note": "form.foreign"}, status=FOREIGN)
    if form.get("password", "") != form.get("again", ""):
        return await _form(site, request, token, form, {"again": "first.again.bad"}, status=422)
    said = {"token": token, "name": form.get("name", "").strip(), "password": form.get("password", "")}
    try:
        command = msgspec.convert(said, model.FirstStart)
    except msgspec.ValidationError as error:
        wrong = {"password": "first.weak.long"} if "password" in str(error) else {"name": "first.name.bad"}
        return await _form(site, request, token, form, wrong, status=422)
    try:
        signed_in = await site.identity.signing_in.first_start(command, site.caller(request))
    except BadFirstStartError:
        return await _over(site, request)
    except WeakPasswordError as error:
        reason = str(error.facts.get("reason", ""))
        weak = f"first.weak.{reason if reason in _WEAK else 'guessed'}"
        return await _form(site, request, token, form, {"password": weak}, status=error.status)
    except errors.UnavailableError as error:
        return await _form(site, request, token, form, {"note": "form.away"}, status=error.status)
    return sent_to(f"{site.base_path}/", site.welcome(signed_in))


async def _form(
    site: Site,
    request: HttpRequest,
    token: str,
    form: Mapping[str, str],
    wrong: Mapping[str, str],
    *,
    status: int = 200,
) -> Response[str]:
    left = await site.identity.signing_in.first_start_left(token) if _can_be_one(token) else 0
    if not left:
        return await _over(site, request)
    sheet = site.sheet(request, {"token": token})
    mark, cookies = site.marked(request)
    return sheet.write(
        "first.html",
        status=status,
        headers=PRIVATE,
        cookies=cookies,
        action=sheet.address("/first"),
        mark=mark,
        token=token,
        name=form.get("name", ""),
        wrong={"note": "", "name": "", "password": "", "again": "", **wrong},
        seconds=left / 1000,
        address=request.client.host if request.client else "",
        machine=await machine.look(site.kernel, request.scope["server"]),
        version=machine.VERSION,
        command=command_line(),
    )


def _can_be_one(token: str) -> bool:
    return token.isascii() and token.isprintable() and bool(token)


async def _over(site: Site, request: HttpRequest) -> Response[str]:
    sheet: Sheet = site.sheet(request, {})
    return sheet.write(
        "over.html",
        status=OVER,
        headers=PRIVATE,
        used=not await site.identity.signing_in.nobody_yet(),
        login=sheet.address("/login"),
        version=machine.VERSION,
        command=command_line(),
    )


def command_line() -> str:
    """Give what prints a new link where the server is started by hand."""
    return "qiantang up"


ROUTES = [show_first, first]
