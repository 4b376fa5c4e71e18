"""What lists over many bundles need: which gray release runs in each, drafts by author, releases by time."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "kernel_0002"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None

_bundle = sa.table("bundle", sa.column("id"), sa.column("revision"), sa.column("gray"))
_release = sa.table("release", sa.column("bundle"), sa.column("revision"), sa.column("state"))
_AT_ONCE = 200


def upgrade() -> None:
    op.add_column("bundle", sa.Column("gray", sa.String(length=32), server_default="", nullable=False))
    op.create_index("ix_draft_author_edited_at", "draft", ["author", "edited_at"], unique=False)
    op.create_index("ix_release_created_at", "release", ["created_at"], unique=False)
    _note_running_gray_releases()


def _note_running_gray_releases() -> None:
    connection, after = op.get_bind(), 0
    heads = (
        sa.select(_bundle.c.id, _release.c.state)
        .join(_release, sa.and_(_release.c.bundle == _bundle.c.id, _release.c.revision == _bundle.c.revision))
        .order_by(_bundle.c.id)
        .limit(_AT_ONCE)
    )
    while rows := connection.execute(heads.where(_bundle.c.id > after)).all():
        for row in rows:
            gray = _running(bytes(row.state))
            if gray:
                connection.execute(sa.update(_bundle).where(_bundle.c.id == row.id).values(gray=gray))
        after = rows[-1].id


def _running(state: bytes) -> str:
    try:
        found: Any = json.loads(state)
        return str(found["gray"]["id"])[:32]
    except (ValueError, TypeError, KeyError):
        return ""
