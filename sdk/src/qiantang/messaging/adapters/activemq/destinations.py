"""Destinations: the names of topics and queues on the server. Pure.

A topic's physical queue n is the virtual topic `VirtualTopic.<topic>.<n>`: what is sent there the server copies to the queue
`Consumer.<group>.VirtualTopic.<topic>.<n>` of each group. Signs that mean something in a name there are percent-encoded.
"""

from __future__ import annotations

from urllib.parse import quote


def _words(name: str) -> str:
    """Encode a name of several words; none of them is empty."""
    return ".".join(quote(word, safe="") or "%" for word in name.split("."))


def _word(name: str) -> str:
    """Encode a name as one word."""
    return quote(name, safe="").replace(".", "%2E")


def virtual_topic(topic: str, number: int) -> str:
    """Give where messages for a physical queue are sent."""
    return f"/topic/VirtualTopic.{_words(topic)}.{number}"


def all_of(topic: str) -> str:
    """Give what is sent to a topic, whatever its physical queue."""
    return f"/topic/VirtualTopic.{_words(topic)}.*"


def queue_name(group: str, topic: str, number: int) -> str:
    """Give the name of the queue that holds a group's messages of a physical queue."""
    return f"Consumer.{_word(group)}.VirtualTopic.{_words(topic)}.{number}"


def queue(group: str, topic: str, number: int) -> str:
    """Give where a group's messages of a physical queue are consumed."""
    return f"/queue/{queue_name(group, topic, number)}"


def lock(group: str, topic: str, number: int) -> str:
    """Give the queue whose exclusive consumer may consume a group's queue."""
    return f"/queue/mf.hold.{_word(group)}.{_words(topic)}.{number}"


def members(group: str, topic: str) -> str:
    """Give the topic over which members of a group hear of one another."""
    return f"/topic/mf.members.{_word(group)}.{_words(topic)}"


def directory(topic: str) -> str:
    """Give the queue in which the groups of a topic are noted."""
    return f"/queue/mf.groups.{_words(topic)}"
