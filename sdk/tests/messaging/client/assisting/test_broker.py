"""The broker with the client's help: what nobody does is refused by name, and the rest of a batch goes on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

import pytest

from qiantang.messaging.client.assisting import AssistedBroker
from qiantang.messaging.errors import FeatureMissingError
from qiantang.messaging.model import Frame, Subscription
from qiantang.messaging.port import Capabilities, Feature, SendOutcome, Support


class Plain:
    """A broker that can do next to nothing."""

    def __init__(self, native: Collection[Feature] = ()) -> None:
        self.capabilities = Capabilities(native=frozenset(native))
        self.sent: list[str] = []

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        self.sent += [one.id for one in frames]
        return [SendOutcome(verdict="accepted")] * len(frames)


def assisted(plain: Plain) -> AssistedBroker:
    return AssistedBroker("main/one", cast("Any", plain), None, "member", now=lambda: 1000.0)


def frame(id: str, **said: Any) -> Frame:
    return Frame(topic="t", id=id, body=b"", **said)


async def test_a_priority_that_nobody_keeps_is_refused_and_others_go_on() -> None:
    plain = Plain()
    outcomes = await assisted(plain).send([frame("1"), frame("2", priority=9), frame("3", priority=9, key="k")])
    assert [one.verdict for one in outcomes] == ["accepted", "refused", "accepted"]
    assert isinstance(outcomes[1].error, FeatureMissingError)
    assert plain.sent == ["1", "3"]
    ranked = Plain([Feature.PRIORITY])
    outcomes = await assisted(ranked).send([frame("1"), frame("2", priority=9)])
    assert [one.verdict for one in outcomes] == ["accepted", "accepted"]


async def test_a_delay_without_a_store_is_refused_and_what_is_due_goes_out() -> None:
    plain = Plain()
    late, due = frame("1", deliver_at=1_001_000), frame("2", deliver_at=999_000)
    outcomes = await assisted(plain).send([late, due, frame("3")])
    assert [one.verdict for one in outcomes] == ["refused", "accepted", "accepted"]
    assert "give it `store`" in str(outcomes[0].error)
    with pytest.raises(FeatureMissingError, match="take a message back"):
        await assisted(plain).cancel("t", "1")


async def test_what_the_broker_holds_and_gives_not_back_the_store_holds_where_there_is_one() -> None:
    plain = Plain([Feature.DELAY])
    (outcome,) = await assisted(plain).send([frame("1", deliver_at=1_001_000)])
    assert (outcome.verdict, plain.sent) == ("accepted", ["1"])
    store = cast("Any", object())
    found = AssistedBroker("main/one", cast("Any", plain), store, "member", now=lambda: 1000.0).capabilities
    assert (found.support(Feature.DELAY), found.support(Feature.CANCEL)) == (Support.EMULATED, Support.EMULATED)


async def test_an_order_that_nobody_keeps_is_refused() -> None:
    with pytest.raises(FeatureMissingError, match="order of keys"):
        await assisted(Plain()).receive(Subscription(group="g", topic="t", order="key"), "member")


def test_it_says_who_does_what() -> None:
    found = assisted(Plain([Feature.ORDER])).capabilities
    assert {one: found.support(one) for one in Feature} == {
        Feature.ORDER: Support.NATIVE,
        Feature.TAGS: Support.EMULATED,
        Feature.EXPIRY: Support.EMULATED,
        Feature.LATER: Support.EMULATED,
        Feature.DELAY: Support.UNSUPPORTED,
        Feature.CANCEL: Support.UNSUPPORTED,
        Feature.PRIORITY: Support.UNSUPPORTED,
        Feature.BROADCAST: Support.UNSUPPORTED,
    }
