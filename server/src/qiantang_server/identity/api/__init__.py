"""Identity over HTTP: parse, have the use case done, present."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide

from qiantang_server.identity.api import estate, people, proof, sign_in, trail
from qiantang_server.identity.service import Identity


def routers(identity: Identity) -> list[Router]:
    """Make the routes of identity and of the audit trail."""
    provided = {"identity": Provide(lambda: identity, sync_to_thread=False)}
    own = [*sign_in.ROUTES, *estate.ROUTES, *people.ROUTES, *proof.ROUTES]
    return [
        Router(path="/api/v1/identity", route_handlers=own, dependencies=provided, tags=["identity"]),
        Router(path="/api/v1/audit", route_handlers=trail.ROUTES, dependencies=provided, tags=["audit"]),
    ]
