"""Csrf: refuses unsafe requests that a browser sent with its cookie on behalf of another site."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER = "x-qiantang"


def refused(method: str, headers: Mapping[str, str], origins: Collection[str] = ()) -> str:
    """Give the reason to refuse, or nothing. For requests that authenticate by cookie alone.

    `headers` has lower-case names. `origins` are addresses under which the platform is known besides its Host
    header. A request passes if it comes from the same origin and carries `X-Qiantang: 1`, which no form and
    no foreign script can set without being asked about first.
    """
    if method.upper() in SAFE_METHODS:
        return ""
    if headers.get(HEADER) != "1":
        return "the header X-Qiantang: 1 is missing"
    site = headers.get("sec-fetch-site")
    if site is not None:
        return "" if site == "same-origin" else f"it comes from another site (Sec-Fetch-Site: {site[:40]})"
    origin = headers.get("origin", "")
    if not origin:
        return "it does not say where it comes from (neither Sec-Fetch-Site nor Origin)"
    return "" if origin in origins or _same_host(origin, headers.get("host", "")) else "it comes from another origin"


def _same_host(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return plain and parts.scheme in {"http", "https"} and bool(host) and parts.netloc.lower() == host.lower()
