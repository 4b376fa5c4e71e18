"""Names of published resources, to be found by; instances that failed, to be found among very many."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "kernel_0003"
down_revision = "kernel_0002"
branch_labels = None
depends_on = None

_bundle = sa.table("bundle", sa.column("id"), sa.column("revision"))
_release = sa.table("release", sa.column("bundle"), sa.column("revision"), sa.column("state"))
_name = sa.table("resource_name", sa.column("bundle"), sa.column("kind"), sa.column("name"))
_AT_ONCE = 100


def upgrade() -> None:
    op.create_table(
        "resource_name",
        sa.Column("bundle", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("bundle", "kind", "name", name=op.f("pk_resource_name")),
    )
    op.create_index("ix_instance_held_status", "instance_held", ["status"], unique=False)
    _note_what_is_published()


def _note_what_is_published() -> None:
    connection, after = op.get_bind(), 0
    heads = (
        sa.select(_bundle.c.id, _release.c.state)
        .join(_release, sa.and_(_release.c.bundle == _bundle.c.id, _release.c.revision == _bundle.c.revision))
        .order_by(_bundle.c.id)
        .limit(_AT_ONCE)
    )
    while rows := connection.execute(heads.where(_bundle.c.id > after)).all():
        found = [
            {"bundle": row.id, "kind": kind, "name": name}
            for row in rows
            for kind, name in sorted(_published(bytes(row.state)))
        ]
        if found:
            connection.execute(sa.insert(_name), found)
        after = rows[-1].id


def _published(state: bytes) -> set[tuple[str, str]]:
    try:
        found: dict[str, Any] = json.loads(state)
        gray: dict[str, Any] = found.get("gray") or {}
        lines: list[Any] = [*found["items"], *gray.get("put", [])]
        return {(str(line[0]), str(line[1])) for line in lines}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return set()
