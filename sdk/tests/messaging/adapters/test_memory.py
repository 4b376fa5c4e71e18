"""The broker in memory: the conformance suite, and what is its own."""

from __future__ import annotations

import pytest

from qiantang.kernel import ids
from qiantang.messaging.model import Resource
from qiantang.messaging.testing import BrokerConformance


@pytest.fixture
def resource() -> Resource:
    """A broker of its own for each test."""
    return Resource(name="one", url=f"memory://{ids.ordered_id()}")


class TestConformance(BrokerConformance):
    adapter = "memory"
