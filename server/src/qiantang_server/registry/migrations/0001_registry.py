"""Tables of the registry."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from qiantang_server.kernel.storage import Millis
from qiantang_server.kernel.storage.schema import Blob

revision = "registry_0001"
down_revision = None
branch_labels = ("registry",)
depends_on = None


def _name(column: str, length: int = 64) -> sa.Column[Any]:
    return sa.Column(column, sa.String(length), nullable=False)


def _moment(column: str) -> sa.Column[Any]:
    return sa.Column(column, Millis, nullable=False)


def _size() -> sa.Column[Any]:
    return sa.Column("size", sa.Integer, nullable=False)


def _body() -> sa.Column[Any]:
    return sa.Column("body", Blob, nullable=False)


def _place() -> list[sa.Column[Any]]:
    return [_name("tenant"), _name("environment")]


def _table(name: str, *columns: sa.Column[Any], key: str) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key.split(), name=f"pk_{name}"))


def _index(table: str, name: str, columns: str) -> None:
    op.create_index(f"ix_{table}_{name}", table, columns.split())


def upgrade() -> None:
    _table("registry_place", *_place(), sa.Column("revision", sa.BigInteger, nullable=False), key="tenant environment")
    _table(
        "registry_microservice",
        *_place(),
        _name("name"),
        _name("center"),
        sa.Column("revision", sa.BigInteger, nullable=False),
        _moment("changed_at"),
        key="tenant environment name",
    )
    _index("registry_microservice", "revision", "tenant environment revision")
    _sessions()
    _kept()


def _sessions() -> None:
    _table(
        "registry_session",
        _name("id"),
        *_place(),
        _name("center"),
        _name("application"),
        _moment("opened_at"),
        _moment("expires_at"),
        key="id",
    )
    _index("registry_session", "expires_at", "expires_at")
    _index("registry_session", "place", "tenant environment center application")
    _table(
        "registry_node",
        *_place(),
        _name("microservice"),
        _name("name", 128),
        _name("session"),
        _name("state", 16),
        sa.Column("started_at", sa.Double, nullable=False),
        _size(),
        _body(),
        _moment("registered_at"),
        key="tenant environment microservice name",
    )
    _index("registry_node", "session", "session")
    _table("registry_vote", _name("id"), *_place(), _name("microservice"), _name("session"), _body(), key="id")
    _index("registry_vote", "microservice", "tenant environment microservice")
    _index("registry_vote", "session", "session")
    op.create_table(
        "registry_pulse",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("id", name="pk_registry_pulse"),
    )


def _kept() -> None:
    _table(
        "registry_definition",
        *_place(),
        _name("microservice"),
        _name("service", 128),
        _name("digest"),
        _size(),
        _body(),
        _moment("published_at"),
        key="tenant environment microservice service",
    )
    _table(
        "registry_override",
        *_place(),
        _name("microservice"),
        _name("node", 128),
        _name("state", 16),
        sa.Column("weight", sa.Integer, nullable=True),
        _name("reason", 500),
        _name("set_by", 128),
        _moment("set_at"),
        _moment("seen_at"),
        key="tenant environment microservice node",
    )
