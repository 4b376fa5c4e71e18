"""Write the next migration step of a room by comparing its tables with the steps that exist.

Usage: .venv/bin/python tools/new_migration.py <kernel|capability> <slug>
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import api as autogenerate
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext

import qiantang_server
from qiantang_server.kernel.storage import Database, StorageSettings, metadata, migrations

HEADER = '''"""{title}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql  # noqa: F401

revision = "{revision}"
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}


def upgrade() -> None:
{upgrade}
'''


def load_tables() -> None:
    """Import every store, so that the metadata knows every table."""
    root = Path(qiantang_server.__file__).parent
    for path in sorted([*root.rglob("store.py"), *root.rglob("store/*.py")]):
        importlib.import_module(".".join(("qiantang_server", *path.relative_to(root).with_suffix("").parts)))


def rooms() -> list[str]:
    """Name the rooms that have tables of their own."""
    root = Path(qiantang_server.__file__).parent
    return ["kernel", *sorted({path.relative_to(root).parts[0] for path in root.rglob("store*")} - {"kernel", "app"})]


def room_of(table: str, names: list[str]) -> str:
    """Say whose a table is: its name begins with its capability's, or it is the kernel's."""
    return next((name for name in names if table.startswith(f"{name}_")), "kernel")


def folder_of(room: str) -> Path:
    """Give where a room keeps its steps."""
    root = Path(qiantang_server.__file__).parent
    return migrations.KERNEL if room == "kernel" else root / room / "migrations"


async def difference(room: str) -> ops.UpgradeOps:
    """Compare the room's tables with a fresh database that all existing steps have made."""
    names = rooms()
    folders = [folder for name in names if (folder := folder_of(name)).exists() and any(folder.glob("*.py"))]
    with tempfile.TemporaryDirectory() as place:
        async with Database(StorageSettings(), default_file=Path(place) / "scratch.db") as database:
            if folders:
                await migrations.upgrade(database, folders)

            def compare(connection: sa.Connection) -> Any:
                def included(name: str | None, kind: str, _parents: Any) -> bool:
                    return kind != "table" or (name != "alembic_version" and room_of(name or "", names) == room)

                def ours(item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
                    return kind != "table" or room_of(name or "", names) == room

                context = MigrationContext.configure(
                    connection, opts={"include_name": included, "include_object": ours, "compare_type": False}
                )
                return autogenerate.produce_migrations(context, metadata).upgrade_ops

            async with database.engine.connect() as connection:
                return await connection.run_sync(compare)


def main() -> None:
    """Write the step."""
    room, slug = sys.argv[1], sys.argv[2]
    load_tables()
    folder = folder_of(room)
    folder.mkdir(parents=True, exist_ok=True)
    earlier = sorted(path.stem for path in folder.glob("[0-9]*.py"))
    number = len(earlier) + 1
    found = asyncio.run(difference(room))
    if found.is_empty():
        print("the tables are what the steps make: nothing to write")
        return
    code = autogenerate.render_python_code(found)
    newest = len(list(migrations.KERNEL.glob("[0-9]*.py")))
    depends = None if room == "kernel" else f"kernel_{newest:04}"
    text = HEADER.format(
        title=slug.replace("_", " ").capitalize(),
        revision=f"{room}_{number:04}",
        down=f"{room}_{number - 1:04}" if earlier else None,
        labels=None if earlier else (room,),
        depends=depends,
        upgrade="    " + code.strip(),
    )
    target = folder / f"{number:04}_{slug}.py"
    target.write_text(text)
    print(f"wrote {target}: read it before you commit it")


if __name__ == "__main__":
    main()
