"""SQL: messages of 1 KB through PostgreSQL, from the first send until the last is handled and settled: ours and two peers.

All of them send 500 at a time and consume in the same process and event loop (uvloop, which pgqueuer's own command uses), on
one server whose commits are on disk before they are answered, each round in an empty database, after one batch that is not timed:
it makes connections and prepares statements. Rounds are interleaved, and each contender's best counts: what disturbs a round only
adds to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from bench.config.stage import DurablePostgreSQL
from bench.figures import Value, rounded
from bench.messaging import sql_peers
from qiantang.kernel import scope
from qiantang.messaging import Cluster, Estate, Message, MessageBus, Resource, Topic

MESSAGES = 4_000
BATCH = 500
ROUNDS = 3
TEXT = "a line of an order with some text" * 31
"""The body, about a kilobyte. Ours writes and reads it as JSON, procrastinate too; pgqueuer carries bytes as they are."""
PLACE = scope.Scope(tenant="bench", environment="bench", center="trade", application="order")

Found = tuple[float, float]
"""Messages per second: sent alone while consumers run, and from the first send to the last message settled."""


def measure() -> dict[str, Value]:
    """Start the server, let the contenders take turns, give the best of each and the ratios of these."""
    contenders: dict[str, Callable[[str], Awaitable[Found]]] = {
        "sql": ours,
        "pgqueuer": lambda url: sql_peers.pgqueuer(url, TEXT.encode(), MESSAGES, BATCH),
        "procrastinate": lambda url: sql_peers.procrastinate(url, TEXT, MESSAGES, BATCH),
    }
    found: dict[str, list[Found]] = {name: [] for name in contenders}
    with DurablePostgreSQL() as server:
        for _ in range(ROUNDS):
            for name, contender in contenders.items():
                url = server.create_database("bench")
                found[name].append(uvloop.run(_awaited(contender, url)))
                server.drop_database(url)
    best = {name: max(whole for _, whole in rounds) for name, rounds in found.items()}
    return {
        "sql_per_s": rounded(best["sql"]),
        "pgqueuer_per_s": rounded(best["pgqueuer"]),
        "procrastinate_per_s": rounded(best["procrastinate"]),
        "sql_vs_pgqueuer": rounded(best["sql"] / best["pgqueuer"]),
        "sql_vs_procrastinate": rounded(best["sql"] / best["procrastinate"]),
        "sql_send_per_s": rounded(max(sent for sent, _ in found["sql"])),
        "pgqueuer_send_per_s": rounded(max(sent for sent, _ in found["pgqueuer"])),
        "procrastinate_send_per_s": rounded(max(sent for sent, _ in found["procrastinate"])),
    }


async def _awaited(contender: Callable[[str], Awaitable[Found]], url: str) -> Found:
    return await contender(url)


async def ours(url: str) -> Found:
    """A topic with its four queues and a group, at least once, as many in hand as a fetch gives."""
    cluster = Cluster(name="main", adapter="sql", resources=[Resource(name="one", url=url)])
    bus = MessageBus(Estate(clusters=[cluster], topics=[Topic(name="orders", clusters=["main"])]), PLACE)
    handled = sql_peers.Handled()

    @bus.subscribe("orders", concurrency=250)
    async def take(_body: str) -> None:
        handled.one()

    async def send() -> None:
        sent = await bus.send_many([Message(topic="orders", body=TEXT) for _ in range(BATCH)])
        if not all(one.ok for one in sent):
            raise RuntimeError(f"not sent: {next(one.error for one in sent if not one.ok)}")

    async def settled() -> bool:
        return not (await bus.lag("orders")).messages

    async with bus:
        (consumer,) = bus.consumers("orders")
        while not consumer.joined:
            await asyncio.sleep(0.01)
        return await sql_peers.timed(send, handled, settled, MESSAGES, BATCH)
