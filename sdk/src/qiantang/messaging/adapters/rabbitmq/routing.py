"""Routing: names and routing keys, by which RabbitMQ brings a message to one queue of each group that wants its tag. Pure.

A routing key has three words: the size of the queue's number in bits, the number, and the tag. A group's queue n is bound to its
own number. Numbers beyond the group's last queue go to its first: so a sender that knows of more queues already loses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

MOST_BITS: Final = 10
"""Of a queue's number: a topic has at most 1024 queues."""
MOST_TAG: Final = 200
ANY: Final = "*"


class Binding(NamedTuple):
    """What a physical queue of a group gets."""

    queue: int
    pattern: str


def queue_name(group: str, topic: str, number: int) -> str:
    """Give the name of a physical queue of a group."""
    return f"{group}.{topic}.{number}"


def lock_name(group: str, topic: str, number: int) -> str:
    """Give the name of the queue whose owner may consume a quorum queue."""
    return f"mf.hold.{group}.{topic}.{number}"


def members_name(group: str, topic: str) -> str:
    """Give the name of the exchange over which members of a group hear of one another."""
    return f"mf.members.{group}.{topic}"


def tag_word(tag: str) -> str:
    """Give a tag as one word of a routing key: of up to 201 bytes, and without what has a meaning there."""
    encoded = quote(tag, safe="").replace(".", "%2E")
    return f"t{encoded}" if len(encoded) <= MOST_TAG else f"h{hashlib.sha256(tag.encode()).hexdigest()}"


def routing_key(number: int, tag: str) -> str:
    """Give the key of a message that goes to the queue of this number."""
    return _key(number, tag_word(tag) if tag else "t")


def bindings(queues: int, tags: Collection[str] = ()) -> Iterator[Binding]:
    """Give the bindings of a group with so many queues that wants these tags, or all where none are named."""
    for word in _words(tags):
        for number in range(queues):
            yield Binding(number, _key(number, word))
        bits = (queues - 1).bit_length()
        for number in range(queues, 1 << bits):
            yield Binding(0, _key(number, word))
        for more in range(bits + 1, MOST_BITS + 1):
            yield Binding(0, f"{more}.{ANY}.{word}")


def outgrown(queues: int, tags: Collection[str] = ()) -> Iterator[Binding]:
    """Give the bindings that a group may have from when it had fewer queues, and that would bring messages twice."""
    for word in _words(tags):
        for number in range(1, queues):
            yield Binding(0, _key(number, word))
        for bits in range(1, (queues - 1).bit_length() + 1):
            yield Binding(0, f"{bits}.{ANY}.{word}")


def _words(tags: Collection[str]) -> list[str]:
    return [tag_word(tag) for tag in tags] or [ANY]


def _key(number: int, word: str) -> str:
    return f"{number.bit_length()}.{number}.{word}"
