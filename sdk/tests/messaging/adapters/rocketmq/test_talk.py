"""Talk: a member's wishes stand in the name by which the brokers know it, and the number of what it locks follows from it."""

from __future__ import annotations

import pytest

from qiantang.messaging.adapters.rocketmq.talk import Client, owner_of, wanted_of


@pytest.mark.parametrize("wanted", [(), (3,), (1, 12)])
def test_wishes_are_read_as_they_were_written(wanted: tuple[int, ...]) -> None:
    assert wanted_of(Client("host#7-x", wanted).id) == wanted


@pytest.mark.parametrize("client", ["plain", "odd#", "odd#1,", "odd#x", "10.0.0.1@77#8#1y"])
def test_names_of_others_wish_nothing(client: str) -> None:
    assert wanted_of(client) == ()


def test_a_number_is_one_member_s_and_goes_in_the_place_of_an_offset() -> None:
    numbers = {Client(name, wanted).owner for name in ("a", "b", "é") for wanted in ((), (1,), (1, 2))}
    assert len(numbers) == 9
    assert all(0 <= number < 2**63 for number in numbers)
    assert owner_of(Client("a", (1, 2)).id) in numbers
