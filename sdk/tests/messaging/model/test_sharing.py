"""Sharing: every queue is somebody's where somebody may have it, nobody's twice, and shares differ by one at most."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from qiantang.messaging.model.sharing import shares

_members = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.sets(st.integers(0, 9), max_size=3), min_size=1
)


@given(_members, st.integers(1, 10))
def test_shares(members: dict[str, set[int]], count: int) -> None:
    found = shares(members, range(count))
    given_ = [number for some in found.values() for number in some]
    assert len(given_) == len(set(given_))
    free = [name for name, wanted in members.items() if not wanted]
    for number in range(count):
        asking = [name for name, wanted in members.items() if number in wanted]
        owner = next((name for name, some in found.items() if number in some), None)
        assert (owner in asking) if asking else (owner in free or not free)


@given(st.sets(st.text("abcdef", min_size=1, max_size=3), min_size=1), st.integers(1, 30))
def test_those_who_take_any_have_the_same_but_for_one(names: set[str], count: int) -> None:
    sizes = [len(some) for some in shares(dict.fromkeys(names, ()), range(count)).values()]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == count
