from __future__ import annotations

import pytest

from qiantang_server.kernel import storage
from server.tests.catalog.market import Market


@pytest.fixture
def market(any_database: storage.Database) -> Market:
    return Market(any_database)
