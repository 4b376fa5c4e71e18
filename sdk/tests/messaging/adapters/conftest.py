"""Fixtures of the adapters' tests: databases as brokers, each in turn. Files of other brokers have a rig of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang.messaging.model import Resource
from qiantang.messaging.testing import Rig


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    file = f"sqlite:///{tmp_path / 'messages.sqlite3'}"
    url = file if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_url")
    made = Rig("sql", Resource(name="one", url=url))
    yield made
    await made.close()
