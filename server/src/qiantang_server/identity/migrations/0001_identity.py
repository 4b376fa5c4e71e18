"""Tables of identity."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from qiantang_server.kernel.storage import Millis, Text

revision = "identity_0001"
down_revision = None
branch_labels = ("identity",)
depends_on = None


def _name(column: str, length: int = 64) -> sa.Column[Any]:
    return sa.Column(column, sa.String(length), nullable=False)


def _moment(column: str) -> sa.Column[Any]:
    return sa.Column(column, Millis, nullable=False)


def _flag(column: str) -> sa.Column[Any]:
    return sa.Column(column, sa.Boolean, nullable=False)


def _text(column: str) -> sa.Column[Any]:
    return sa.Column(column, Text, nullable=False)


def _place() -> list[sa.Column[Any]]:
    return [_name("tenant"), _name("environment"), _name("center"), _name("application")]


def _table(name: str, *columns: sa.Column[Any], key: str) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key.split(), name=f"pk_{name}"))


def _index(table: str, columns: str, name: str = "") -> None:
    parts = columns.split()
    op.create_index(name or f"ix_{table}_{'_'.join(parts)}", table, parts)


def upgrade() -> None:
    _estate()
    _people()
    _sign_in()
    _proof()
    _table("identity_revision", _name("tenant"), sa.Column("value", sa.BigInteger, nullable=False), key="tenant")


def _estate() -> None:
    _table("identity_tenant", _name("name"), _name("title", 128), _flag("disabled"), _moment("created_at"), key="name")
    _table(
        "identity_environment",
        _name("tenant"),
        _name("name"),
        _name("title", 128),
        _flag("protected"),
        _moment("created_at"),
        key="tenant name",
    )
    _table(
        "identity_center", _name("tenant"), _name("name"), _name("title", 128), _moment("created_at"), key="tenant name"
    )
    _table(
        "identity_application",
        _name("tenant"),
        _name("center"),
        _name("name"),
        _name("title", 128),
        _name("owner", 32),
        _moment("created_at"),
        key="tenant center name",
    )
    _table("identity_gone", *_place(), _moment("at"), key="tenant environment center application")


def _people() -> None:
    op.create_table(
        "identity_user",
        _name("id", 32),
        _name("tenant"),
        _name("name"),
        _name("title", 128),
        _name("password", 256),
        _flag("disabled"),
        _moment("created_at"),
        _moment("signed_in_at"),
        sa.PrimaryKeyConstraint("id", name="pk_identity_user"),
        sa.UniqueConstraint("tenant", "name", name="uq_identity_user_tenant_name"),
    )
    _table(
        "identity_role", _name("tenant"), _name("name"), _name("title", 128), _text("permissions"), key="tenant name"
    )
    _table(
        "identity_grant",
        _name("id", 32),
        _name("user_id", 32),
        _name("role"),
        *_place(),
        _moment("not_before"),
        _moment("expires"),
        _name("granted_by"),
        _name("reason", 500),
        _moment("created_at"),
        key="id",
    )
    _index("identity_grant", "user_id")
    _index("identity_grant", "tenant role")


def _sign_in() -> None:
    _table(
        "identity_session",
        _name("token_hash"),
        _name("id", 32),
        _name("user_id", 32),
        _moment("created_at"),
        _moment("seen_at"),
        _moment("expires_at"),
        _name("address"),
        _name("agent", 256),
        key="token_hash",
    )
    _index("identity_session", "user_id")
    _index("identity_session", "expires_at")
    _table("identity_source", _name("user_id", 32), _name("network"), _moment("seen_at"), key="user_id network")
    _index("identity_source", "seen_at")
    _table(
        "identity_throttle",
        _name("id"),
        sa.Column("failures", sa.Integer, nullable=False),
        _moment("blocked_until"),
        _moment("updated_at"),
        key="id",
    )
    _index("identity_throttle", "updated_at")
    _table("identity_first_start", _name("token_hash"), _moment("expires_at"), key="token_hash")


def _proof() -> None:
    _table(
        "identity_credential",
        _name("id"),
        *_place(),
        _name("title", 128),
        _text("sealed"),
        _moment("created_at"),
        _name("created_by", 128),
        _moment("expires_at"),
        _moment("revoked_at"),
        _moment("last_used_at"),
        key="id",
    )
    _index("identity_credential", "tenant environment center application", "ix_identity_credential_place")
    _table("identity_nonce", _name("id"), _moment("expires_at"), key="id")
    _index("identity_nonce", "expires_at")
    _table(
        "identity_access_token",
        _name("id", 32),
        _name("user_id", 32),
        _name("name"),
        _name("secret_hash"),
        _text("permissions"),
        *_place(),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("last_used_at"),
        key="id",
    )
    _index("identity_access_token", "user_id")
    _table("identity_signing_key", _name("id", 32), _text("sealed"), _moment("created_at"), key="id")
