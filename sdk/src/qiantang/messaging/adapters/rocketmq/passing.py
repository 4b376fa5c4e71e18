"""Passing: groups that end with their only member. RocketMQ keeps groups for ever, so whoever makes such a group removes it.

Of processes that died the others remove what they left: their groups have no members, and names that say how old they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any, Final

import msgspec

from qiantang.kernel import errors, observe
from qiantang.messaging.adapters.rocketmq import names, talk
from qiantang.messaging.adapters.rocketmq.address import Address
from qiantang.messaging.adapters.rocketmq.connection import Remotes
from qiantang.messaging.adapters.rocketmq.routes import Names
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code
from qiantang.messaging.errors import BrokerAwayError

log = observe.BoundedLog(logging.getLogger(__name__))

SWEEP_SECONDS: Final = 900.0
LEAST_SECONDS = 600.0
"""So old a group without members has to be before another than its maker removes it."""
END_SECONDS: Final = 3.0
RETRIES: Final = "%RETRY%"
_GONE: Final = frozenset({Answer.SYSTEM_ERROR, Answer.NO_TOPIC, Answer.NO_GROUP})


class _Groups(msgspec.Struct):
    table: dict[str, Any] = msgspec.field(name="subscriptionGroupTable")


class Passing:
    """Of one RocketMQ."""

    def __init__(self, address: Address, names: Names, remotes: Remotes) -> None:
        self._address = address
        self._names = names
        self._remotes = remotes
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Remove now and then what others left."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"removing groups of {self._address!r}")

    async def close(self) -> None:
        """Remove nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def end(self, group: str) -> None:
        """Remove a group that has ended; where that fails the others do it later."""
        with contextlib.suppress(errors.QiantangError, TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self.remove(group)

    async def remove(self, group: str) -> None:
        """Remove a group and the topic that RocketMQ makes for each.

        Raises:
            BrokerAwayError: somebody does not answer.
        """
        doing, retries = f"removing group {group}", {"topic": f"{RETRIES}{group}"}
        for host in (await self._names.brokers()).values():
            connection = await self._remotes.get(host)
            fields = {"groupName": group, "cleanOffset": "true"}
            await connection.ask(Code.REMOVE_GROUP, fields, doing=doing, passing=_GONE)
            await connection.ask(Code.REMOVE_TOPIC, retries, doing=doing, passing=_GONE)
        for host in self._address.admin:
            connection = await self._remotes.get(host)
            await connection.ask(Code.FORGET_TOPIC, retries, doing=doing, passing=_GONE)

    async def sweep(self) -> None:
        """Remove what processes left that died.

        Raises:
            BrokerAwayError: somebody does not answer.
        """
        hosts = (await self._names.brokers()).values()
        found: set[str] = set()
        for host in hosts:
            connection = await self._remotes.get(host)
            answer = await connection.ask(Code.GROUPS, {}, doing="asking for the groups")
            try:
                found |= msgspec.json.decode(answer.body, type=_Groups).table.keys()
            except msgspec.MsgspecError as error:
                raise BrokerAwayError(f"what RocketMQ says of its groups makes no sense: {error}") from error
        for group in sorted(found):
            began = names.began(group)
            if began is None or time.time() - began < LEAST_SECONDS:
                continue
            members = [await talk.members(await self._remotes.get(host), group) for host in hosts]
            if not any(members):
                await self.remove(group)

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep()
                log.recovered("sweep", "groups without members are removed again")
            except errors.QiantangError as error:
                log.failure("sweep", "groups without members cannot be removed", error=error)
            await asyncio.sleep(SWEEP_SECONDS)
