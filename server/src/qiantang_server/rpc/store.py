"""Rows of calls: the keys that tokens for them are signed with."""

from __future__ import annotations

import sqlalchemy as sa

from qiantang_server.kernel import storage

signing_keys = sa.Table(
    "rpc_signing_key",
    storage.metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("sealed", storage.Text, nullable=False),
    sa.Column("created_at", storage.Millis, nullable=False),
)
