from __future__ import annotations

import pytest

from qiantang_server.kernel import storage
from server.tests.kernel.resources.notes import Life


@pytest.fixture
def life(any_database: storage.Database) -> Life:
    return Life(any_database)
