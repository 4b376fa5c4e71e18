"""Routes of the registry: of the applications that register and follow, and of the people who look after them."""

from __future__ import annotations

from litestar import Router

from qiantang_server.registry.api import applications, people
from qiantang_server.registry.service import Registry


def routers(registry: Registry) -> list[Router]:
    """Make the routes."""
    return [applications.router(registry), people.router(registry)]
