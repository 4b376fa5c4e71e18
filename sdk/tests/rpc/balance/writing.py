"""Routes as tests write them: a section, and beside it what every route has."""

from __future__ import annotations

from typing import Any

from qiantang.rpc.model.routes import ConditionRoute, GrayRoute, Route, TagRoute, VersionRoute, ZoneRoute

COMMON = ("services", "priority", "enabled", "force", "public", "description")


def _written(sort: str, model: Any, said: dict[str, Any]) -> Route:
    common = {name: said.pop(name) for name in COMMON if name in said}
    return Route(**common, **{sort: model(**said)})


def version_route(**said: Any) -> Route:
    """Write a route by version."""
    return _written("version", VersionRoute, said)


def condition_route(**said: Any) -> Route:
    """Write a route by conditions."""
    return _written("condition", ConditionRoute, said)


def tag_route(**said: Any) -> Route:
    """Write a route by a tag."""
    return _written("tag", TagRoute, said)


def gray_route(**said: Any) -> Route:
    """Write a gray route."""
    return _written("gray", GrayRoute, said)


def zone_route(**said: Any) -> Route:
    """Write a route by zones."""
    return _written("zone", ZoneRoute, said)
