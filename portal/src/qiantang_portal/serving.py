"""Serving: the built pages over ASGI, compressed ahead of time, under any base path and a strict content security policy.

Depends on nothing but Python, so that whatever server finds the entry point can mount it.
"""

from __future__ import annotations

import html
import mimetypes
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_HASHED = re.compile(r"^assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_UNBUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>qiantang</title>
<h1>The pages are not built</h1>
<p>This is a source checkout whose portal was never built. The API works. Build the pages with one command, then reload:</p>
<pre>make up</pre></html>"""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    kind: str
    hashed: bool
    encoded: dict[str, bytes]


class Pages:
    """Serves what was built. Everything is read once, at the start: a few megabytes, and no path of a request meets the disk.

    Whatever path is no file gets the one page, which finds its way by the address itself; a path below `assets/` that is no
    file is 404, so that a page from an older build says so rather than running HTML as a script.
    """

    def __init__(self, folder: Path = STATIC, *, base_path: str = "") -> None:
        self._base = base_path.rstrip("/") + "/"
        self._files = dict(_read(folder)) if (folder / INDEX).is_file() else {}

    @property
    def built(self) -> bool:
        """Whether there are pages to serve."""
        return bool(self._files)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        status, found, body = self._answer(scope, headers)
        await send({"type": "http.response.start", "status": status, "headers": found})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, Headers, bytes]:
        if scope["method"] not in {"GET", "HEAD"}:
            return _plain(405, b"only GET and HEAD", [(b"allow", b"GET, HEAD")])
        path = str(scope["path"]).lstrip("/")
        if not self._files:
            return _unbuilt()
        file = self._files.get(path)
        if file is not None and path != INDEX:
            return _file(file, headers.get(b"accept-encoding", b"").decode("latin-1"))
        if path.startswith("assets/"):
            return _plain(404, b"no such file: reload the page, there may be a newer version of it")
        return self._index()

    def _index(self) -> tuple[int, Headers, bytes]:
        """Give the one page: it differs by request in its nonce, so it is never kept."""
        nonce = secrets.token_urlsafe(18)
        text = self._files[INDEX].body.decode()
        text = text.replace('<base href="/" />', f'<base href="{html.escape(self._base)}" />')
        body = text.replace("__NONCE__", nonce).encode()
        policy = (
            "default-src 'none'; script-src 'self'; "
            f"style-src 'self' 'nonce-{nonce}'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
            "base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
        )
        extra = [(b"content-security-policy", policy.encode()), (b"cache-control", b"no-cache")]
        return 200, _headers("text/html; charset=utf-8", len(body), extra), body


def make(*, base_path: str = "") -> Pages:
    """Make what serves the pages below a base path; found by the server under the entry point group `qiantang.pages`."""
    return Pages(base_path=base_path)


def _read(folder: Path) -> Iterable[tuple[str, _File]]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith(".") or path.suffix in {".br", ".gz"}:
            continue
        name = path.relative_to(folder).as_posix()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind.startswith("text/") or kind.endswith(("javascript", "json")):
            kind += "; charset=utf-8"
        encoded: dict[str, bytes] = {}
        for encoding, suffix in _ENCODINGS:
            packed = path.with_name(path.name + suffix)
            if packed.is_file():
                encoded[encoding] = packed.read_bytes()
        yield name, _File(path.read_bytes(), kind, bool(_HASHED.match(name)), encoded)


def _file(file: _File, accepted: str) -> tuple[int, Headers, bytes]:
    offered = {
        part.partition(";")[0].strip() for part in accepted.split(",") if not part.replace(" ", "").endswith(";q=0")
    }
    keep = b"public, max-age=31536000, immutable" if file.hashed else b"no-cache"
    extra: Headers = [(b"cache-control", keep), (b"vary", b"Accept-Encoding")]
    for encoding, _suffix in _ENCODINGS:
        if encoding in offered and encoding in file.encoded:
            body = file.encoded[encoding]
            return 200, _headers(file.kind, len(body), [*extra, (b"content-encoding", encoding.encode())]), body
    return 200, _headers(file.kind, len(file.body), extra), file.body


def _plain(status: int, text: bytes, extra: Headers | None = None) -> tuple[int, Headers, bytes]:
    return status, _headers("text/plain; charset=utf-8", len(text), extra or []), text


def _unbuilt() -> tuple[int, Headers, bytes]:
    body = _UNBUILT.encode()
    policy = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
    return 503, _headers("text/html; charset=utf-8", len(body), [policy, (b"cache-control", b"no-store")]), body


def _headers(kind: str, length: int, extra: Headers) -> Headers:
    return [
        (b"content-type", kind.encode()),
        (b"content-length", str(length).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        *extra,
    ]
