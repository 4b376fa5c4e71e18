"""Routes: queues are numbered over brokers, and a broker that is down keeps its numbers."""

from __future__ import annotations

from qiantang.messaging.adapters.rocketmq.routes import Queue, Route, Share


def test_queues_are_numbered_over_the_brokers_in_the_order_of_their_names() -> None:
    route = Route({"b": Share(("two", 1), 1), "a": Share(("one", 1), 2)})
    assert route.queues == (Queue("a", ("one", 1), 0), Queue("a", ("one", 1), 1), Queue("b", ("two", 1), 0))


def test_a_broker_that_is_not_named_any_more_keeps_its_numbers() -> None:
    known = Route({"a": Share(("one", 1), 2), "b": Share(("two", 1), 1)})
    route = Route({"b": Share(("moved", 1), 2)}, known)
    assert route.queues == (
        *(Queue("a", ("one", 1), 0), Queue("a", ("one", 1), 1)),
        *(Queue("b", ("moved", 1), 0), Queue("b", ("moved", 1), 1)),
    )
