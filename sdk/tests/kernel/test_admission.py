"""Admission: who is refused may not, whatever else is said; where some are allowed, only these may."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from qiantang.kernel import admission

NAMES = st.sets(st.sampled_from(["shop", "bank", "shop/cart", "shop/till", "bank/loans"]))


@given(NAMES, NAMES)
def test_who_is_refused_may_not_and_without_a_list_everybody_may(allowed: set[str], refused: set[str]) -> None:
    named = {"shop", "shop/cart"}
    assert admission.may("shop", "cart", allowed, refused) == (
        not named & refused and (not allowed or bool(named & allowed))
    )


def test_an_application_says_more_than_its_center() -> None:
    assert admission.names_of("shop", "cart") == ("shop/cart", "shop")
