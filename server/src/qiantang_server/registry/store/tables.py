"""Tables of the registry. Moments are milliseconds of the database's clock.

Whatever changes a list of nodes counts the revision of its tenant and environment up first, which locks that row until the commit:
revisions are committed in their order, so who has seen one has missed none before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from qiantang.kernel import scope
from qiantang_server.kernel.storage import Millis, metadata, name_column
from qiantang_server.kernel.storage.schema import Blob


class Place(NamedTuple):
    """A tenant and one of its environments: what a registry is of."""

    tenant: str
    environment: str

    @classmethod
    def of(cls, caller: scope.Scope) -> Place:
        """Give the registry of an application."""
        return cls(caller.tenant, caller.environment)


def _place(*, primary_key: bool = True) -> list[sa.Column[str]]:
    return [name_column(part, primary_key=primary_key) for part in ("tenant", "environment")]


def _column(name: str, kind: sa.types.TypeEngine[Any], *, primary_key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=primary_key, nullable=False)


_KEY = sa.String(64)

places = sa.Table("registry_place", metadata, *_place(), _column("revision", sa.BigInteger()))

microservices = sa.Table(
    "registry_microservice",
    metadata,
    *_place(),
    name_column("name", primary_key=True),
    name_column("center"),
    _column("revision", sa.BigInteger()),
    _column("changed_at", Millis()),
    sa.Index("ix_registry_microservice_revision", "tenant", "environment", "revision"),
)

sessions = sa.Table(
    "registry_session",
    metadata,
    _column("id", _KEY, primary_key=True),
    *_place(primary_key=False),
    name_column("center"),
    name_column("application"),
    _column("opened_at", Millis()),
    _column("expires_at", Millis()),
    sa.Index("ix_registry_session_expires_at", "expires_at"),
    sa.Index("ix_registry_session_place", "tenant", "environment", "center", "application"),
)

nodes = sa.Table(
    "registry_node",
    metadata,
    *_place(),
    name_column("microservice", primary_key=True),
    name_column("name", 128, primary_key=True),
    _column("session", _KEY),
    _column("state", sa.String(16)),
    _column("started_at", sa.Double()),
    _column("size", sa.Integer()),
    _column("body", Blob),
    _column("registered_at", Millis()),
    sa.Index("ix_registry_node_session", "session"),
)

votes = sa.Table(
    "registry_vote",
    metadata,
    _column("id", _KEY, primary_key=True),
    *_place(primary_key=False),
    name_column("microservice"),
    _column("session", _KEY),
    _column("body", Blob),
    sa.Index("ix_registry_vote_microservice", "tenant", "environment", "microservice"),
    sa.Index("ix_registry_vote_session", "session"),
)

definitions = sa.Table(
    "registry_definition",
    metadata,
    *_place(),
    name_column("microservice", primary_key=True),
    name_column("service", 128, primary_key=True),
    _column("digest", _KEY),
    _column("size", sa.Integer()),
    _column("body", Blob),
    _column("published_at", Millis()),
)

overrides = sa.Table(
    "registry_override",
    metadata,
    *_place(),
    name_column("microservice", primary_key=True),
    name_column("node", 128, primary_key=True),
    _column("state", sa.String(16)),
    sa.Column("weight", sa.Integer(), nullable=True),
    _column("reason", sa.String(500)),
    _column("set_by", sa.String(128)),
    _column("set_at", Millis()),
    _column("seen_at", Millis()),
)

pulse = sa.Table(
    "registry_pulse",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    _column("at", Millis()),
)
"""One row: when a server that could have taken renewals said so last."""
