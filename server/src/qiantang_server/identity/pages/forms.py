"""Forms: reads them, and tells those that this site's own pages sent from those of other sites, without a script."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import Cookie

from qiantang.kernel import errors
from qiantang_server.kernel.access import csrf

HttpRequest = Request[Any, Any, Any]
FIELD = "form"
"""The hidden field that must say what the cookie says."""
MAX_FIELDS = 16
_FORM = "application/x-www-form-urlencoded"
_mark = re.compile(r"[A-Za-z0-9_-]{43}")


def cookie_name(*, secure: bool) -> str:
    """Give the name of the cookie that is paired with the hidden field."""
    return "__Host-qiantang-form" if secure else "qiantang-form"


def mark_of(cookies: Mapping[str, str], *, secure: bool) -> str:
    """Give the mark that the browser keeps for its forms, or a new one where it keeps none."""
    known = cookies.get(cookie_name(secure=secure), "")
    return known if _mark.fullmatch(known) else secrets.token_urlsafe(32)


def mark_cookie(mark: str, *, secure: bool) -> Cookie:
    """Give the cookie of a mark: for this host, this site's own requests and no script."""
    return Cookie(key=cookie_name(secure=secure), value=mark, path="/", secure=secure, httponly=True, samesite="strict")


async def read(request: HttpRequest) -> dict[str, str]:
    """Give the fields of a form; of those that come twice, the last.

    Raises:
        InvalidRequestError: it is no form, or has too many fields.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise errors.InvalidRequestError(f"send the form as {_FORM}")
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise errors.InvalidRequestError("this is not a form that can be read") from None


def foreign(request: HttpRequest, form: Mapping[str, str], *, secure: bool, without_origin: bool = False) -> bool:
    """Say whether a form may have been sent by another site's page.

    `without_origin`: the page that it was on tells nobody where it is, so browsers say `Origin: null`.
    """
    known = request.cookies.get(cookie_name(secure=secure), "")
    said = form.get(FIELD, "")
    paired = bool(_mark.fullmatch(known)) and hmac.compare_digest(known.encode(), said.encode("utf-8", "replace"))
    return not paired or _says_foreign(request, without_origin=without_origin)


def _says_foreign(request: HttpRequest, *, without_origin: bool) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if without_origin and headers.get("origin") == "null":
        del headers["origin"]
    if "origin" not in headers and "sec-fetch-site" not in headers:
        return False
    # a form cannot set the header that the API asks for; the pair of cookie and field stands for it
    return bool(csrf.refused(request.method, {**headers, csrf.HEADER: "1"}))
