"""Memory: what is set aside goes with its last reference, rings of it with the next look."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from qiantang_server.app import memory


class Held:
    """Something that may refer to itself."""

    ring: Held | None = None


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_set_aside_goes_with_its_last_reference() -> None:
    held = Held()
    seen = weakref.ref(held)
    memory.look()

    del held

    assert seen() is None


def test_a_ring_that_is_set_aside_goes_with_the_next_look() -> None:
    held = Held()
    held.ring = held
    seen = weakref.ref(held)
    memory.look()

    del held
    gc.collect()
    assert seen() is not None, "the collector walks through what is set aside"
    memory.look()

    assert seen() is None


def test_looks_are_as_far_apart_as_they_are_long() -> None:
    assert memory.pause_after(0.001) == memory.EVERY_SECONDS
    assert memory.pause_after(0.2) == pytest.approx(200)


async def test_everything_is_set_aside_while_it_is_tended() -> None:
    async with memory.tended():
        assert gc.get_freeze_count() > 10_000
