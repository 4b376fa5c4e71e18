"""Requests to call a service."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from qiantang_server.kernel.storage import Millis, Text

revision = "catalog_0001"
down_revision = None
branch_labels = ("catalog",)
depends_on = None


def _name(column: str, length: int = 64) -> sa.Column[Any]:
    return sa.Column(column, sa.String(length), nullable=False)


def upgrade() -> None:
    op.create_table(
        "catalog_request",
        _name("id", 32),
        _name("tenant"),
        _name("environment"),
        _name("center"),
        _name("application"),
        _name("consumer_center"),
        _name("consumer_application"),
        _name("service", 128),
        _name("state", 16),
        sa.Column("reason", Text, nullable=False),
        _name("author", 128),
        sa.Column("created_at", Millis, nullable=False),
        sa.Column("answer", Text, nullable=False),
        _name("decided_by", 128),
        sa.Column("decided_at", Millis, nullable=False),
        _name("publishing", 32),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_request"),
    )
    op.create_index(
        "ix_catalog_request_provider", "catalog_request", ["tenant", "environment", "center", "application", "state"]
    )
    op.create_index(
        "ix_catalog_request_consumer",
        "catalog_request",
        ["tenant", "environment", "consumer_center", "consumer_application", "state"],
    )
