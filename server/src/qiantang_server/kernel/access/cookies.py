"""Cookies: the names under which a browser holds its session and its known-device mark."""

from __future__ import annotations

from collections.abc import Mapping

SESSION = "qiantang"
DEVICE = "qiantang-device"
_HOST = "__Host-"


def session_name(*, secure: bool) -> str:
    """Give the session cookie's name: bound to the host by its prefix over TLS, plain on loopback."""
    return _HOST + SESSION if secure else SESSION


def device_name(*, secure: bool) -> str:
    """Give the name of the cookie that marks a browser which signed in before."""
    return _HOST + DEVICE if secure else DEVICE


def session_cookie(cookies: Mapping[str, str], *, secure: bool) -> str:
    """Give the session's token, or nothing.

    Over TLS the plain name is never read: a neighbour domain or a plain-text page could have set it.
    """
    return cookies.get(session_name(secure=secure), "")
