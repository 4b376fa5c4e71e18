"""What becomes of messages that were published: confirmed singly or together, returned, refused, or lost with their channel."""

from __future__ import annotations

from aiormq import exceptions as amqp

from qiantang.messaging import errors
from qiantang.messaging.adapters.rabbitmq.confirms import Confirms, Delivery
from qiantang.messaging.model import Frame


def delivery(*topics: str, size: int = 1) -> Delivery:
    frames = [Frame(topic=topic, id=f"{place}", body=b"x" * size) for place, topic in enumerate(topics)]
    return Delivery(frames, [place for place, _ in enumerate(topics)])


def sent(confirms: Confirms, *topics: str, size: int = 1) -> Delivery:
    one = delivery(*topics, size=size)
    confirms.expect(one, range(len(topics)))
    return one


def said(one: Delivery) -> list[tuple[str, type[Exception] | None]]:
    return [
        ("", None) if outcome is None else (outcome.verdict, type(outcome.error) if outcome.error else None)
        for outcome in one.outcomes
    ]


ACCEPTED, REFUSED = ("accepted", None), ("refused", errors.BrokerAwayError)
UNKNOWN, OPEN = ("unknown", errors.OutcomeUnknownError), ("", None)


async def test_confirmed_singly_together_and_not() -> None:
    confirms = Confirms()
    first, second = sent(confirms, "a", "a", "a"), sent(confirms, "b", "b")
    confirms.confirmed(2, multiple=False, accepted=True)
    assert said(first) == [OPEN, ACCEPTED, OPEN]
    confirms.confirmed(4, multiple=True, accepted=True)
    assert said(first) == [ACCEPTED] * 3
    assert first.answered.done()
    assert said(second) == [ACCEPTED, OPEN]
    confirms.confirmed(5, multiple=False, accepted=False)
    assert said(second) == [ACCEPTED, REFUSED]
    confirms.confirmed(5, multiple=True, accepted=True)
    assert [one.queue for one in first.outcomes if one] == ["0", "1", "2"]


async def test_what_no_queue_wants_is_noted() -> None:
    confirms = Confirms()
    one = sent(confirms, "a", "a")
    confirms.returned("1")
    confirms.confirmed(2, multiple=True, accepted=True)
    assert (said(one), one.returned) == ([ACCEPTED] * 2, {1})


async def test_a_lost_connection_leaves_what_was_not_confirmed_unknown() -> None:
    confirms = Confirms()
    one = sent(confirms, "a", "a")
    confirms.confirmed(1, multiple=False, accepted=True)
    confirms.lose(amqp.AMQPConnectionError("gone"))
    assert said(one) == [ACCEPTED, UNKNOWN]
    assert confirms.closed


async def test_a_missing_exchange_is_an_unknown_topic_and_what_came_after_was_not_taken() -> None:
    confirms = Confirms()
    one = sent(confirms, "a", "gone", "b", "gone")
    confirms.lose(amqp.ChannelNotFoundEntity("NOT_FOUND - no exchange 'gone' in vhost 'x'"))
    missing = ("refused", errors.UnknownTopicError)
    assert said(one) == [UNKNOWN, missing, REFUSED, missing]


async def test_no_right_to_write() -> None:
    confirms = Confirms()
    one = sent(confirms, "a")
    confirms.lose(amqp.ChannelAccessRefused("ACCESS_REFUSED - write access to exchange 'a' in vhost 'x' refused"))
    assert said(one) == [("refused", errors.SendForbiddenError)]


async def test_a_message_that_is_too_large() -> None:
    confirms = Confirms()
    one, large, last = sent(confirms, "a"), sent(confirms, "a", size=50), sent(confirms, "a")
    words = "PRECONDITION_FAILED - message size 50 is larger than configured max size 10"
    confirms.lose(amqp.ChannelPreconditionFailed(words))
    assert (said(one), said(large), said(last)) == (
        [UNKNOWN],
        [("refused", errors.BodyTooLargeError)],
        [REFUSED],
    )


async def test_what_is_given_up_stays_so() -> None:
    confirms = Confirms()
    one = sent(confirms, "a", "a")
    confirms.confirmed(1, multiple=False, accepted=True)
    one.give_up("no answer")
    confirms.confirmed(2, multiple=False, accepted=True)
    assert said(one) == [ACCEPTED, UNKNOWN]
