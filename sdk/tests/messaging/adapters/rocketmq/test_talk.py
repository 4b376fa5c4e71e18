"""Talk: a member's wishes stand in the name by which the brokers know it."""

from __future__ import annotations

import pytest

from qiantang.messaging.adapters.rocketmq.talk import Client, wanted_of


@pytest.mark.parametrize("wanted", [(), (3,), (1, 12)])
def test_wishes_are_read_as_they_were_written(wanted: tuple[int, ...]) -> None:
    assert wanted_of(Client("host#7-x", wanted).id) == wanted


@pytest.mark.parametrize("client", ["plain", "odd#", "odd#1,", "odd#x", "10.0.0.1@77#8#1y"])
def test_names_of_others_wish_nothing(client: str) -> None:
    assert wanted_of(client) == ()
