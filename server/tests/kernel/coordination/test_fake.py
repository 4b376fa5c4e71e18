"""The fake passes the suite that the real ones pass."""

from __future__ import annotations

import pytest

from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.coordination.testing import (
    CoordinationConformance,
    FakeCoordination,
    FakeGround,
    OpenOne,
)

from .conftest import Opened


@pytest.fixture
def open_one(opened: Opened) -> OpenOne:
    ground = FakeGround()

    async def open_() -> Coordination:
        return await opened(FakeCoordination(ground))

    return open_


class TestConformance(CoordinationConformance):
    pass
