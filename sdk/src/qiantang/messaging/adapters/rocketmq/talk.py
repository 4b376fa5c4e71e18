"""Talk: what a member of a group says to a broker, and asks of it.

A broker tells nobody whose a lock is, and keeps it for 60 s when its member is gone. So a member locks queues under a number that
follows from its name, and has the group note it: who finds a queue locked reads there by whom.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from qiantang.messaging.adapters.rocketmq.admin import offset_fields
from qiantang.messaging.adapters.rocketmq.connection import Connection
from qiantang.messaging.adapters.rocketmq.groups import Group
from qiantang.messaging.adapters.rocketmq.routes import Queue
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model.partitions import Place

T = TypeVar("T")
_NOBODY: Final = frozenset({Answer.SYSTEM_ERROR})
_ASKED: Final = "#"


class Client(NamedTuple):
    """A member as the brokers know it: its name, and behind that the queues that it asks for, where it does."""

    name: str
    wanted: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """The name by which the brokers know it: who shares queues out reads the wishes of the others there."""
        return f"{self.name}{_ASKED}{','.join(map(str, self.wanted))}" if self.wanted else self.name

    @property
    def owner(self) -> int:
        """The number under which it locks queues."""
        return owner_of(self.id)


class _Members(msgspec.Struct):
    ids: list[str] = msgspec.field(name="consumerIdList")


class _Queue(msgspec.Struct):
    topic: str
    broker: str = msgspec.field(name="brokerName")
    number: int = msgspec.field(name="queueId")


class _Locked(msgspec.Struct):
    queues: list[_Queue] = msgspec.field(name="lockOKMQSet")


def wanted_of(client: str) -> tuple[int, ...]:
    """Give the queues that a member asks for, by the name that the brokers know; none means whichever."""
    _, asked, numbers = client.rpartition(_ASKED)
    if not asked or not all(one.isascii() and one.isdigit() for one in numbers.split(",")):
        return ()
    return tuple(int(one) for one in numbers.split(","))


def owner_of(client: str) -> int:
    """Give the number under which a member locks queues, by the name that the brokers know: any of 63 bits."""
    return int.from_bytes(hashlib.sha256(client.encode()).digest()[:8]) >> 1


async def heartbeat(connection: Connection, group: Group, client: Client, bands: Iterable[str]) -> None:
    """Say that a member is there, which a broker believes as long as the connection is open."""
    subscriptions: list[dict[str, Any]] = [
        {
            "topic": group.name_of(band),
            "subString": group.expression,
            "expressionType": "TAG",
            "subVersion": 0,
            "classFilterMode": False,
            "tagsSet": [],
            "codeSet": [],
        }
        for band in bands
    ]
    consumer: dict[str, Any] = {
        "groupName": group.name,
        "consumeType": "CONSUME_PASSIVELY",
        "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
        "subscriptionDataSet": subscriptions,
        "unitMode": False,
    }
    said: dict[str, Any] = {"clientID": client.id, "producerDataSet": [], "consumerDataSet": [consumer]}
    await connection.ask(Code.HEARTBEAT, {}, msgspec.json.encode(said), doing=f"taking part in {group.name}")


async def leave(connection: Connection, group: Group, client: Client) -> None:
    """Say that a member is gone."""
    fields = {"clientID": client.id, "consumerGroup": group.name}
    await connection.ask(Code.LEAVE, fields, doing=f"leaving {group.name}")


async def members(connection: Connection, group: str) -> set[str]:
    """Say who takes part in a group, as a broker knows it."""
    doing = f"asking who takes part in {group}"
    answer = await connection.ask(Code.MEMBERS, {"consumerGroup": group}, doing=doing, passing=_NOBODY)
    if answer.header.code != Answer.DONE or not answer.body:
        return set()
    return set(_read(_Members, answer.body, doing).ids)


async def lock(connection: Connection, group: Group, owner: int, queues: Mapping[Place, Queue]) -> set[Place]:
    """Lock queues for an owner, or renew that; give those that are its own now, for 60 s."""
    if not queues:
        return set()
    doing = f"getting queues of {group.name}"
    answer = await connection.ask(Code.LOCK, {}, _queues(group, owner, queues), doing=doing)
    places = {(place[0], queue.broker, queue.number): place for place, queue in queues.items()}
    found = _read(_Locked, answer.body, doing).queues
    return {places[key] for one in found if (key := (one.topic, one.broker, one.number)) in places}


async def unlock(connection: Connection, group: Group, owner: int, queues: Mapping[Place, Queue]) -> None:
    """Give queues back that are an owner's; to those of others nothing happens."""
    if queues:
        await connection.ask(Code.UNLOCK, {}, _queues(group, owner, queues), doing=f"letting queues of {group.name} go")


async def commit(connection: Connection, group: Group, name: str, queue: Queue, offset: int) -> None:
    """Say up to where a group is done with a queue."""
    fields = offset_fields(group.name, name, queue, offset)
    await connection.ask(Code.COMMIT, fields, doing=f"settling messages of {group.name}")


def _queues(group: Group, owner: int, queues: Mapping[Place, Queue]) -> bytes:
    places: Collection[dict[str, Any]] = [
        {"topic": place[0], "brokerName": queue.broker, "queueId": queue.number} for place, queue in queues.items()
    ]
    return msgspec.json.encode(
        {"consumerGroup": group.name, "clientId": f"{owner:x}", "onlyThisBroker": False, "mqSet": places}
    )


def _read(kind: type[T], data: bytes, doing: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise BrokerAwayError(f"what RocketMQ says makes no sense: {doing}: {error}") from error
