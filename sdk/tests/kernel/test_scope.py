"""Names: one rule, wherever they come in."""

from __future__ import annotations

import msgspec
import pytest

from qiantang.kernel import errors, scope, wire

GOOD = ["a", "0", "a-b_c.d", "x" * 64]
BAD = ["", "A", "-a", "a-", "a b", "a/b", "é", "a\n", "\na", "a\0", "x" * 65, "*", ".."]


@pytest.mark.parametrize("name", GOOD)
def test_a_name_is_one_on_the_wire_and_in_a_path(name: str) -> None:
    assert scope.check_name(name, "name") == name
    assert msgspec.convert(name, scope.Name) == name


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_in_a_path_is_none_on_the_wire(name: str) -> None:
    with pytest.raises(errors.InvalidRequestError):
        scope.check_name(name, "name")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(name, scope.Name)


@pytest.mark.parametrize("who", ["shop", "shop/cart", "a.b-c_d/9"])
def test_who_is_a_center_or_an_application_of_one(who: str) -> None:
    assert wire.convert(who, scope.Who) == who


@pytest.mark.parametrize(
    "who", ["", "/cart", "shop/", "shop/cart/x", "shop\n", "shop/cart\n", "shop\n/cart", "Shop", "*"]
)
def test_nothing_else_is(who: str) -> None:
    with pytest.raises(errors.InvalidRequestError):
        wire.convert(who, scope.Who)
