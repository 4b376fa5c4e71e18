"""The product itself on a database that it cannot work with: it says so and leaves the database alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.servers.platform import Platform
from tests.servers.process import StartError

pytestmark = pytest.mark.process


def test_a_server_does_not_start_on_the_database_of_a_newer_one() -> None:
    platform = Platform()
    try:
        platform.start()
        tenants = platform.administrator()
        tenants.have("identity/tenants", {"name": "kept"})
        assert platform.stop() == 0
        file = platform.data / "qiantang.sqlite3"
        with closing(sqlite3.connect(file)) as connection, connection:
            here = connection.execute(
                "SELECT version_num FROM alembic_version WHERE version_num LIKE 'kernel_%'"
            ).fetchone()
            connection.execute("UPDATE alembic_version SET version_num = 'kernel_9999' WHERE version_num = ?", here)
        with pytest.raises(StartError) as caught:
            platform.start()
        assert "kernel_9999" in str(caught.value)
        assert "newer program" in str(caught.value)
        assert "Traceback" not in str(caught.value)
        with closing(sqlite3.connect(file)) as connection, connection:
            assert connection.execute("SELECT name FROM identity_tenant").fetchall() == [("kept",)]
            connection.execute("UPDATE alembic_version SET version_num = ? WHERE version_num = 'kernel_9999'", here)
        platform.start()
    finally:
        platform.close()
