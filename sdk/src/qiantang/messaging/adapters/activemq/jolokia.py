"""Jolokia: the HTTP interface of the server, which alone says how much a queue holds."""

from __future__ import annotations

import asyncio
import base64
from typing import Final

import msgspec

from qiantang.kernel import errors
from qiantang.kernel.uplink import Tls
from qiantang.kernel.uplink.http import Answer, Connection, Request
from qiantang.messaging.adapters.activemq.address import Jolokia
from qiantang.messaging.errors import BrokerAwayError, FeatureMissingError

SECONDS: Final = 8.0
MOST_BYTES: Final = 16 * 1024 * 1024
ASKS: Final = 4
"""How often a queue is asked for that was made this moment, and that the server does not show yet."""
PAUSE: Final = 0.25


class _Read(msgspec.Struct):
    """What is answered to one question: a value for each of the beans that were found."""

    status: int
    value: dict[str, dict[str, int]] = {}
    error: str = ""


class Counter:
    """Counts what queues hold; without an address it says what to add."""

    def __init__(self, where: Jolokia | None) -> None:
        self._where = where
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None

    async def count(self, queues: list[str]) -> tuple[int, int]:
        """Give how many messages queues hold, and how many of them are with consumers.

        Raises:
            FeatureMissingError: no address is known where that could be asked.
            NotFoundError: there is none of these queues.
            BrokerAwayError: it cannot be asked now.
            UnauthenticatedError: it does not let us in.
        """
        if self._where is None:
            raise FeatureMissingError(
                "over STOMP ActiveMQ does not say what a group has not finished: add jolokia= to its address, "
                "http://name:password@host:8161/api/jolokia percent-encoded"
            )
        beans = await self._ask(self._where, queues)
        for _ in range(ASKS):
            if len(beans) >= len(queues):
                break
            await asyncio.sleep(PAUSE)
            beans = await self._ask(self._where, queues)
        if len(beans) < len(queues):
            raise errors.NotFoundError(f"it has {len(beans)} of the {len(queues)} queues {queues[0]} and so on")
        return sum(one["QueueSize"] for one in beans), sum(one["InFlightCount"] for one in beans)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()

    # -- inside ------------------------------------------------------------------------------------------

    async def _ask(self, where: Jolokia, queues: list[str]) -> list[dict[str, int]]:
        bean = "org.apache.activemq:type=Broker,brokerName=*,destinationType=Queue,destinationName={}"
        questions = [
            {"type": "read", "mbean": bean.format(name), "attribute": ["QueueSize", "InFlightCount"]} for name in queues
        ]
        answer = await self._exchange(where, msgspec.json.encode(questions))
        if answer.head.status in (401, 403):
            raise errors.UnauthenticatedError(f"Jolokia of ActiveMQ at {where.address} does not let us in")
        try:
            found = msgspec.json.decode(answer.body, type=list[_Read])
        except msgspec.MsgspecError as error:
            said = f"status {answer.head.status}"
            raise BrokerAwayError(f"what answers at {where.address} is no Jolokia: {said}: {error}") from error
        return [values for one in found if one.status == 200 for values in one.value.values()]

    async def _exchange(self, where: Jolokia, body: bytes) -> Answer:
        login = base64.b64encode(f"{where.user}:{where.password}".encode()).decode()
        headers = [("content-type", "application/json"), ("origin", f"{where.address}")]
        if where.user:
            headers.append(("authorization", f"Basic {login}"))
        request = Request("POST", where.path, headers, body)
        async with self._turn:
            try:
                async with asyncio.timeout(SECONDS):
                    if self._connection is None or not self._connection.reusable:
                        await self.close()
                        self._connection = await Connection.open(where.address, Tls(), SECONDS)
                    return await self._connection.exchange(request, MOST_BYTES)
            except (errors.QiantangError, TimeoutError, asyncio.CancelledError) as error:
                await self.close()
                self._connection = None
                if isinstance(error, asyncio.CancelledError):
                    raise
                words = error.detail if isinstance(error, errors.QiantangError) else f"no answer within {SECONDS:g} s"
                raise BrokerAwayError(f"Jolokia of ActiveMQ at {where.address}: {words}") from error
