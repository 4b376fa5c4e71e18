"""Tables of calls between services."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qiantang_server.kernel.storage import Millis, Text

revision = "rpc_0001"
down_revision = None
branch_labels = ("rpc",)
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "rpc_signing_key",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("sealed", Text, nullable=False),
        sa.Column("created_at", Millis, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rpc_signing_key"),
    )
