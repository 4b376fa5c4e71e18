"""Visitor: how somebody who is not signed in wants his pages, and where he wants to go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from qiantang.kernel import scope
from qiantang_server.identity.pages.words import Language, negotiated

Theme = Literal["light", "dark", "system"]
LANGUAGE, THEME = "qiantang-lang", "qiantang-theme"
"""Cookies that the portal's scripts read and write, too; they hold nothing else."""
MAX_NEXT = 2000

_LANGUAGES: dict[str, Language] = {"zh": "zh", "en": "en"}
_THEMES: dict[str, Theme] = {"light": "light", "dark": "dark", "system": "system"}
_name = re.compile(scope.NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Language and theme; `chosen` are those that the address asks for, by their cookie."""

    language: Language
    theme: Theme
    chosen: Mapping[str, str]

    @classmethod
    def of(cls, query: Mapping[str, str], cookies: Mapping[str, str], accepted: str) -> Visitor:
        """Take what the address asks for, else what was chosen before, else what browser and system say."""
        language, theme = _LANGUAGES.get(query.get("lang", "")), _THEMES.get(query.get("theme", ""))
        chosen: dict[str, str] = {}
        if language is not None:
            chosen[LANGUAGE] = language
        if theme is not None:
            chosen[THEME] = theme
        return cls(
            language or _LANGUAGES.get(cookies.get(LANGUAGE, "")) or negotiated(accepted),
            theme or _THEMES.get(cookies.get(THEME, ""), "system"),
            chosen,
        )


def local_path(wanted: str, base_path: str) -> str:
    """Give where to go after signing in: a path of this site as it was wanted, else its first page.

    Whatever a browser could read as another site, or as one of the pages of signing in, is not gone to.
    """
    home = f"{base_path}/"
    if not wanted.startswith("/") or len(wanted) > MAX_NEXT or wanted.startswith(("//", "/\\")):
        return home
    if "\\" in wanted or any(not sign.isprintable() or sign.isspace() for sign in wanted):
        return home
    path = wanted if wanted == base_path or wanted.startswith(home) else base_path + wanted
    place = path[len(base_path) :].partition("?")[0].partition("#")[0]
    if place.startswith("//") or place.rstrip("/") in {"/login", "/logout", "/first"}:
        return home
    return quote(path, safe="/?#[]@!$&'()*+,;=:%~-._")


def named_tenant(wanted: str) -> str:
    """Give a tenant's name where it is one; whether there is such a tenant is not told."""
    return wanted if _name.fullmatch(wanted) else ""
