"""Tables of identity. Moments are milliseconds, 0 stands for never; `*` in a place stands for any."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from qiantang_server.kernel.storage import Millis, Text, metadata, name_column

_HASH = sa.String(64)
_ID = sa.String(32)


def _place(*, primary_key: bool = False) -> list[sa.Column[str]]:
    return [name_column(part, primary_key=primary_key) for part in ("tenant", "environment", "center", "application")]


def _column(name: str, kind: sa.types.TypeEngine[Any], *, primary_key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=primary_key, nullable=False)


tenants = sa.Table(
    "identity_tenant",
    metadata,
    name_column("name", primary_key=True),
    _column("title", sa.String(128)),
    _column("disabled", sa.Boolean()),
    _column("created_at", Millis()),
)

environments = sa.Table(
    "identity_environment",
    metadata,
    name_column("tenant", primary_key=True),
    name_column("name", primary_key=True),
    _column("title", sa.String(128)),
    _column("protected", sa.Boolean()),
    _column("created_at", Millis()),
)

centers = sa.Table(
    "identity_center",
    metadata,
    name_column("tenant", primary_key=True),
    name_column("name", primary_key=True),
    _column("title", sa.String(128)),
    _column("created_at", Millis()),
)

applications = sa.Table(
    "identity_application",
    metadata,
    name_column("tenant", primary_key=True),
    name_column("center", primary_key=True),
    name_column("name", primary_key=True),
    _column("title", sa.String(128)),
    _column("owner", _ID),
    _column("created_at", Millis()),
)

gone = sa.Table("identity_gone", metadata, *_place(primary_key=True), _column("at", Millis()))

users = sa.Table(
    "identity_user",
    metadata,
    _column("id", _ID, primary_key=True),
    name_column("tenant"),
    name_column("name"),
    _column("title", sa.String(128)),
    _column("password", sa.String(256)),
    _column("disabled", sa.Boolean()),
    _column("created_at", Millis()),
    _column("signed_in_at", Millis()),
    sa.UniqueConstraint("tenant", "name"),
)

roles = sa.Table(
    "identity_role",
    metadata,
    name_column("tenant", primary_key=True),
    name_column("name", primary_key=True),
    _column("title", sa.String(128)),
    _column("permissions", Text),
)

grants = sa.Table(
    "identity_grant",
    metadata,
    _column("id", _ID, primary_key=True),
    _column("user_id", _ID),
    name_column("role"),
    *_place(),
    _column("not_before", Millis()),
    _column("expires", Millis()),
    _column("granted_by", sa.String(64)),
    _column("reason", sa.String(500)),
    _column("created_at", Millis()),
    sa.Index("ix_identity_grant_user_id", "user_id"),
    sa.Index("ix_identity_grant_tenant_role", "tenant", "role"),
)

sessions = sa.Table(
    "identity_session",
    metadata,
    _column("token_hash", _HASH, primary_key=True),
    _column("id", _ID),
    _column("user_id", _ID),
    _column("created_at", Millis()),
    _column("seen_at", Millis()),
    _column("expires_at", Millis()),
    _column("address", sa.String(64)),
    _column("agent", sa.String(256)),
    sa.Index("ix_identity_session_user_id", "user_id"),
    sa.Index("ix_identity_session_expires_at", "expires_at"),
)

sources = sa.Table(
    "identity_source",
    metadata,
    _column("user_id", _ID, primary_key=True),
    _column("network", sa.String(64), primary_key=True),
    _column("seen_at", Millis()),
    sa.Index("ix_identity_source_seen_at", "seen_at"),
)

throttles = sa.Table(
    "identity_throttle",
    metadata,
    _column("id", _HASH, primary_key=True),
    _column("failures", sa.Integer()),
    _column("blocked_until", Millis()),
    _column("updated_at", Millis()),
    sa.Index("ix_identity_throttle_updated_at", "updated_at"),
)

first_starts = sa.Table(
    "identity_first_start",
    metadata,
    _column("token_hash", _HASH, primary_key=True),
    _column("expires_at", Millis()),
)

credentials = sa.Table(
    "identity_credential",
    metadata,
    _column("id", sa.String(64), primary_key=True),
    *_place(),
    _column("title", sa.String(128)),
    _column("sealed", Text),
    _column("created_at", Millis()),
    _column("created_by", sa.String(128)),
    _column("expires_at", Millis()),
    _column("revoked_at", Millis()),
    _column("last_used_at", Millis()),
    sa.Index("ix_identity_credential_place", "tenant", "environment", "center", "application"),
)

nonces = sa.Table(
    "identity_nonce",
    metadata,
    _column("id", _HASH, primary_key=True),
    _column("expires_at", Millis()),
    sa.Index("ix_identity_nonce_expires_at", "expires_at"),
)

access_tokens = sa.Table(
    "identity_access_token",
    metadata,
    _column("id", _ID, primary_key=True),
    _column("user_id", _ID),
    _column("name", sa.String(64)),
    _column("secret_hash", _HASH),
    _column("permissions", Text),
    *_place(),
    _column("created_at", Millis()),
    _column("expires_at", Millis()),
    _column("last_used_at", Millis()),
    sa.Index("ix_identity_access_token_user_id", "user_id"),
)

signing_keys = sa.Table(
    "identity_signing_key",
    metadata,
    _column("id", _ID, primary_key=True),
    _column("sealed", Text),
    _column("created_at", Millis()),
)

revisions = sa.Table(
    "identity_revision",
    metadata,
    name_column("tenant", primary_key=True),
    _column("value", sa.BigInteger()),
)
