"""Databases as brokers: the conformance suite on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.model import Resource
from qiantang.messaging.testing import BrokerConformance


class TestSqlite(BrokerConformance):
    adapter = "sql"

    @pytest.fixture
    def resource(self, tmp_path: Path) -> Resource:
        return Resource(name="one", url=f"sqlite:///{tmp_path / 'messages.sqlite3'}")


@pytest.mark.postgresql
class TestPostgresql(BrokerConformance):
    adapter = "sql"

    @pytest.fixture
    def resource(self, postgresql_url: str) -> Resource:
        return Resource(name="one", url=postgresql_url)


@pytest.mark.mariadb
class TestMariadb(BrokerConformance):
    adapter = "sql"

    @pytest.fixture
    def resource(self, mariadb_url: str) -> Resource:
        return Resource(name="one", url=mariadb_url)
