"""Owning: sessions and votes are nobody else's, and which of two processes is later."""

from __future__ import annotations

import pytest

from qiantang.registry.errors import NotOwnNameError
from qiantang.registry.model import Vote
from qiantang_server.registry.rules import listing, owning
from server.tests.registry.town import EVIL, ORDER, OTHER, PROD, STOCK


def test_a_session_has_another_key_in_each_hand() -> None:
    keys = {owning.session_key("s", caller) for caller in (ORDER, STOCK, OTHER, PROD, EVIL)}
    assert len(keys) == 5
    assert all(len(key) == 64 for key in keys)
    assert owning.session_key("s", ORDER) in keys


def test_a_vote_has_another_key_for_each_part_of_it() -> None:
    parts = ("s", "n", "v")
    votes = [Vote(service=a, node=b, voter=c, value="x") for a, b, c in (parts, ("t", "n", "v"), ("s", "nv", "v"))]
    keys = {owning.vote_key(caller, name, vote) for caller in (ORDER, STOCK) for name in ("m", "k") for vote in votes}
    assert len(keys) == 12


def test_only_the_own_name_is_ones_own() -> None:
    owning.require_own(ORDER, "order")
    for name in ("stock", "Order", "order2", ""):
        with pytest.raises(NotOwnNameError):
            owning.require_own(ORDER, name)


@pytest.mark.parametrize(
    ("there", "here", "had", "later"),
    [(1.0, 2.0, False, False), (2.0, 1.0, False, True), (1.0, 1.0, False, False), (1.0, 2.0, True, True)],
)
def test_which_process_is_later(there: float, here: float, had: bool, later: bool) -> None:
    assert owning.is_later(there, here, had=had) is later


def test_what_nothing_is_laid_over_is_passed_on_as_it_is() -> None:
    body = b'{"addresses":{},"name":"a"}'
    assert listing.overridden(body, "", None) is body
    assert b'"weight":0' in listing.overridden(body, "", 0)
    assert b'"state":"offline"' in listing.overridden(body, "offline", None)
