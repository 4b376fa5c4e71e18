"""Sheet: writes a page from its template, with the headers that keep it from being framed, kept, or made to run anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from litestar import MediaType, Response
from litestar.datastructures import Cookie

from qiantang_server.identity.pages.visitor import LANGUAGE, THEME, Visitor
from qiantang_server.identity.pages.words import Words

FOLDER = Path(__file__).parent / "templates"
STYLE = (FOLDER / "sign-in.css").read_bytes()
STYLE_HASH = hashlib.sha256(STYLE).hexdigest()[:16]
STYLE_PATH = "/-/sign-in.css"
YEAR = 365 * 24 * 3600
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; img-src 'self' data:; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
PRIVATE = {"Referrer-Policy": "no-referrer"}
"""For a page with a token in its address."""

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What every page has: where the site is, what its visitor prefers, and its own address, to be shown otherwise."""

    base_path: str
    secure: bool
    visitor: Visitor
    path: str
    query: Mapping[str, str]

    def address(self, path: str, **query: str) -> str:
        """Give the address of one of the pages; what is empty is left out."""
        given = {name: value for name, value in query.items() if value}
        return self.base_path + path + (f"?{urlencode(given)}" if given else "")

    def otherwise(self, **changed: str) -> str:
        """Give the address of this page in another language or theme."""
        return self.address(self.path, **{**self.query, **changed})

    def write(
        self,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: list[Cookie] | None = None,
        **values: Any,
    ) -> Response[str]:
        """Write a page."""
        say = Words(self.visitor.language)
        style = self.address(STYLE_PATH, v=STYLE_HASH)
        text = _templates.get_template(template).render(
            sheet=self, say=say, style=style, visitor=self.visitor, **values
        )
        return Response(
            text,
            status_code=status,
            media_type=MediaType.HTML,
            headers={**HEADERS, "Content-Language": self.visitor.language, "Vary": "Cookie", **(headers or {})},
            cookies=[*self._chosen(), *(cookies or [])],
        )

    def _chosen(self) -> list[Cookie]:
        return [
            Cookie(key=name, value=value, path="/", max_age=YEAR, secure=self.secure, samesite="lax")
            for name, value in self.visitor.chosen.items()
            if name in {LANGUAGE, THEME}
        ]


def sent_to(address: str, cookies: list[Cookie] | None = None) -> Response[bytes]:
    """Send the browser on to another page."""
    return Response(b"", status_code=303, headers={**HEADERS, **PRIVATE, "Location": address}, cookies=cookies or [])
