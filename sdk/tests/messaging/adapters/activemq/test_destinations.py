"""Names on the server: each its own, and none with a sign that means something there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.activemq import destinations

NAMES = st.text("ab0.-_*>,%:?/ 钱", min_size=1, max_size=8)


def test_names() -> None:
    assert destinations.virtual_topic("order.created", 3) == "/topic/VirtualTopic.order.created.3"
    assert destinations.queue("bill-ing", "order.created", 3) == "/queue/Consumer.bill-ing.VirtualTopic.order.created.3"
    assert destinations.queue_name("a.b", "c..d", 0) == "Consumer.a%2Eb.VirtualTopic.c.%.d.0"


@given(one=st.tuples(NAMES, NAMES, st.integers(0, 20)), other=st.tuples(NAMES, NAMES, st.integers(0, 20)))
def test_other_things_have_other_names(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    for name in (destinations.queue, destinations.lock):
        assert (name(*one) == name(*other)) == (one == other)
    written = destinations.queue_name(*one)
    assert not set(written) & set("*>,:?/ ")
    assert written.split(".")[2] == "VirtualTopic", "a group's name is one word: the server looks for it so"
