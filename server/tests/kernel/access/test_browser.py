"""Cookies and the cross-site rule."""

from __future__ import annotations

import pytest

from qiantang_server.kernel.access import cookies, csrf

GOOD = {"x-qiantang": "1", "sec-fetch-site": "same-origin", "host": "portal.acme.test"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "get"])
def test_safe_methods_pass(method: str) -> None:
    assert csrf.refused(method, {}) == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_same_origin_with_the_header_passes(method: str) -> None:
    assert csrf.refused(method, GOOD) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"x-qiantang": ""},
        {"x-qiantang": "0"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "", "origin": "http://portal.acme.test"},
    ],
)
def test_everything_else_is_refused(change: dict[str, str]) -> None:
    assert csrf.refused("POST", GOOD | change)


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://portal.acme.test", True),
        ("https://portal.acme.test", True),
        ("https://portal.acme.test:8443", False),
        ("https://evil.test", False),
        ("https://portal.acme.test@evil.test", False),
        ("https://evil.test/portal.acme.test", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_older_browsers_are_judged_by_their_exact_origin(origin: str, passes: bool) -> None:
    headers = {"x-qiantang": "1", "host": "portal.acme.test", "origin": origin}
    assert (csrf.refused("POST", headers) == "") is passes
    assert csrf.refused("POST", headers, {"https://evil.test"}) == "" or origin != "https://evil.test"


def test_over_tls_the_plain_cookie_is_never_read() -> None:
    held = {"qiantang": "planted"}
    assert cookies.session_cookie(held, secure=False) == "planted"
    assert cookies.session_cookie(held, secure=True) == ""
    assert cookies.session_cookie({"__Host-qiantang": "real", **held}, secure=True) == "real"
    assert cookies.device_name(secure=True) == "__Host-qiantang-device"
