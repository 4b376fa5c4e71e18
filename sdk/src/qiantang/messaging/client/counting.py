"""Counting: what goes out and what is consumed, a batch at a time, so that a message costs next to nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from qiantang.kernel import observe
from qiantang.messaging.model import Frame, Subscription
from qiantang.messaging.model.message import RESERVED
from qiantang.messaging.port import SendOutcome

SENT = "qiantang_messaging_sent_total"
WAITING = "qiantang_messaging_waiting"
CONSUMED = "qiantang_messaging_consumed_total"
HEALTH = "qiantang_messaging_broker_health"
IN_HAND = "qiantang_messaging_in_hand"


def health(link: str) -> observe.Gauge:
    """Give the figure that says how well a broker takes what is sent to it."""
    return observe.METER.gauge(HEALTH, "what a broker takes of its weight, as it answers", broker=link)


class SendCounts:
    """Of one broker."""

    def __init__(self, link: str) -> None:
        self._link = link
        self._waiting = observe.METER.gauge(WAITING, "messages of this process that wait for their broker", broker=link)

    def add(self, frames: Sequence[Frame], outcomes: Sequence[SendOutcome], waiting: int) -> None:
        """Count what became of a batch, and how many wait behind it."""
        found = Counter([(frame.topic, one.verdict) for frame, one in zip(frames, outcomes, strict=True)])
        for (topic, verdict), count in found.items():
            meaning = "messages sent, by what the broker said"
            observe.METER.counter(SENT, meaning, broker=self._link, topic=topic, outcome=verdict).add(count)
        self._waiting.set(waiting)


class ConsumeCounts:
    """Of one subscription on one broker. What the platform consumes for itself is no figure of the application's."""

    def __init__(self, link: str, subscription: Subscription) -> None:
        self.done = self.again = self.dead = 0
        self._counters: list[observe.Counter] = []
        self._told = [0, 0, 0]
        if subscription.group.startswith(RESERVED):
            return
        labels = {"broker": link, "topic": subscription.topic, "group": subscription.group}
        meaning = "messages consumed: done, to be tried again, or dead"
        self._counters = [
            observe.METER.counter(CONSUMED, meaning, outcome=outcome, **labels) for outcome in ("done", "again", "dead")
        ]
        self._in_hand = observe.METER.gauge(IN_HAND, "messages that were fetched and are not finished", **labels)

    def tell(self, in_hand: int) -> None:
        """Tell the meter what was counted since the last time, and how many messages are in hand."""
        if not self._counters:
            return
        counted = [self.done, self.again, self.dead]
        for counter, now, before in zip(self._counters, counted, self._told, strict=True):
            if now > before:
                counter.add(now - before)
        self._told = counted
        self._in_hand.set(in_hand)
