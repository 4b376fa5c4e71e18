"""Peers of the adapters for RabbitMQ and ActiveMQ: the client libraries used directly, as their documentation says for throughput.

Both send with a confirmation of each message, as many at a time as ours, and acknowledge each once it is handled, at least once.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aio_pika
import msgspec
import stompman

from bench.messaging.sql_peers import Handled, timed

PREFETCH: Final = 500
SECONDS: Final = 30.0


async def raw_rabbitmq(url: str, body: str, messages: int, batch: int) -> tuple[float, float]:
    """aio-pika: a durable queue, persistent messages, publisher confirms, a channel for each way."""
    handled = Handled()
    async with await aio_pika.connect(url) as connection:
        sending = await connection.channel(publisher_confirms=True)
        taking = await connection.channel()
        await taking.set_qos(prefetch_count=PREFETCH)
        exchange = await sending.declare_exchange("bench", aio_pika.ExchangeType.DIRECT, durable=True)
        queue = await taking.declare_queue("bench", durable=True)
        await queue.bind("bench", "bench")

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            msgspec.json.decode(message.body)
            await message.ack()
            handled.one()

        async def one() -> None:
            data = msgspec.json.encode(body)
            message = aio_pika.Message(data, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, "bench")

        async def send() -> None:
            await asyncio.gather(*(one() for _ in range(batch)))

        await queue.consume(take)
        return await timed(send, handled, _at_once, messages, batch)


async def raw_activemq(host: str, port: int, login: tuple[str, str], size: tuple[str, int, int]) -> tuple[float, float]:
    """stompman: a queue, persistent messages with a receipt each, a client for each way. `size`: body, messages, batch."""
    body, messages, batch = size
    handled = Handled()
    at = [stompman.ConnectionParameters(host=host, port=port, login=login[0], passcode=login[1])]
    more: dict[str, Any] = {"max_concurrent_handlers": None}
    async with stompman.Client(servers=at) as sending, stompman.Client(servers=at, **more) as taking:

        async def take(frame: stompman.AckableMessageFrame) -> None:
            msgspec.json.decode(frame.body)
            await frame.ack()
            handled.one()

        async def one() -> None:
            data = msgspec.json.encode(body)
            await sending.send(data, "/queue/bench", headers={"persistent": "true"}, receipt_timeout=SECONDS)

        async def send() -> None:
            await asyncio.gather(*(one() for _ in range(batch)))

        prefetch = {"activemq.prefetchSize": f"{PREFETCH}"}
        subscription = await taking.subscribe_with_manual_ack("/queue/bench", take, headers=prefetch)
        found = await timed(send, handled, _at_once, messages, batch)
        await subscription.unsubscribe()
        return found


async def _at_once() -> bool:
    """Each message is acknowledged before it is counted."""
    return True
