"""Weighing: what a browser fetches for the first page, and for the heaviest of the others, compressed as it is sent."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from bench.figures import Value, rounded

STATIC = Path(__file__).parents[2] / "portal/src/qiantang_portal/static"
_STATIC_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*["']\./([\w.-]+\.js)["']""")
_DYNAMIC_IMPORT = re.compile(r"""\bimport\(\s*["'`]\./([\w.-]+\.js)["'`]""")
_IN_PAGE = re.compile(r"""(?:src|href)="\./(assets/[\w.-]+\.(?:js|css))\"""")


def measure() -> dict[str, Value]:
    """Weigh the first load and each chunk that a route brings besides."""
    first = {Path(name).name for name in _IN_PAGE.findall((STATIC / "index.html").read_text())}
    first = closure(first)
    routes = {name: closure({name}) - first for name in chunks() if name not in first}
    heaviest = max(routes, key=lambda name: max(weight({one}) for one in routes[name] or {name}))
    return {
        "first_load_kb_gz": rounded(weight(first) / 1024),
        "route_chunk_kb_gz_max": rounded(max(weight({one}) for one in routes[heaviest] or {heaviest}) / 1024),
        "wheel_static_mb": rounded(sum(path.stat().st_size for path in STATIC.rglob("*") if path.is_file()) / 1e6),
    }


def chunks() -> list[str]:
    """Name every chunk that is imported when it is needed."""
    found: set[str] = set()
    for path in (STATIC / "assets").glob("*.js"):
        found.update(_DYNAMIC_IMPORT.findall(path.read_text()))
    return sorted(found)


def closure(names: set[str]) -> set[str]:
    """Give files with all that they import at once."""
    seen: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        path = STATIC / "assets" / name
        if path.suffix == ".js" and path.is_file():
            waiting |= set(_STATIC_IMPORT.findall(path.read_text())) - seen
    return seen


def weight(names: set[str]) -> int:
    """Give the bytes of files as gzip sends them."""
    return sum(
        len(gzip.compress((STATIC / "assets" / name).read_bytes(), 9))
        for name in names
        if (STATIC / "assets" / name).is_file()
    )
