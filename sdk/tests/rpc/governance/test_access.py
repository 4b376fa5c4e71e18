"""Who may call: refused beats allowed, and where only subscribers may, nobody else does."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance import access
from qiantang.rpc.governance.access import Access

NAMES = st.sets(st.sampled_from(["shop", "bank", "shop/cart", "shop/till", "bank/loans"]))


@given(NAMES, NAMES, st.none() | NAMES)
def test_deny_wins_and_each_list_must_name_the_caller(
    allowed: set[str], refused: set[str], subscribers: set[str] | None
) -> None:
    lists = Access("a", allowed, refused, subscribers)
    for caller in (("shop", "cart"), ("bank", "loans")):
        names = {caller[0], "/".join(caller)}
        may = not names & refused and (not allowed or bool(names & allowed))
        may = may and (subscribers is None or bool(names & subscribers))
        for _ in range(2):  # the second verdict is the remembered one
            assert (lists.enter(*caller) is None) == may


def test_a_refusal_says_who_and_why() -> None:
    refusal = Access("a", subscribers=()).enter("shop", "cart")
    assert refusal is not None
    assert (refusal.kind, refusal.rule) == ("access", "a")
    assert "shop/cart has not subscribed" in refusal.why
    blocked = Access("a", refused={"shop"}, subscribers={"shop/cart"}).enter("shop", "cart")
    assert blocked is not None
    assert "may not" in blocked.why


def test_callers_beyond_number_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REMEMBERED", 10)
    lists = Access("a", allowed={"shop"})
    for number in range(100):
        assert (lists.enter("shop", f"a{number}") is None) and lists.enter("other", f"a{number}") is not None
    assert len(lists._known) <= 10
