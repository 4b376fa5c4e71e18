"""Consume: the handlers of an application as a program of their own."""

from __future__ import annotations

import asyncio
import logging
import signal

import click

from qiantang.cli import talk
from qiantang.cli.imported import imported
from qiantang.kernel import errors
from qiantang.messaging import MessageBus

app_option = click.option(
    "--app",
    "where",
    envvar="QIANTANG_APP",
    required=True,
    metavar="MODULE:BUS",
    help="where the bus with its handlers is, such as shop.messages:bus; looked for from this folder",
)


@click.command()
@click.argument("topics", nargs=-1, metavar="[TOPIC]...")
@app_option
@click.option("-p", "--queue", default="", metavar="QUEUE", help="only messages of this physical queue")
def consume(topics: tuple[str, ...], where: str, queue: str) -> None:
    """Run the message handlers of an application until told to stop.

    All of them, or those of the topics that are named. On SIGTERM or Ctrl-C nothing new is taken, what is being worked on is
    finished, and the group is left.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    bus = find(where)
    asyncio.run(_run(bus, topics, queue))


async def _run(bus: MessageBus, topics: tuple[str, ...], queue: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    talk.say(f"consuming {', '.join(topics) or 'everything'} as {bus.member}")
    await bus.consume(topics, queue=queue, until=stop)
    talk.say("stopped: what was begun is finished")


def find(where: str) -> MessageBus:
    """Import a bus.

    Raises:
        MisconfiguredError: there is none.
    """
    found = imported(where, default="bus")
    if not isinstance(found, MessageBus):
        raise errors.MisconfiguredError(f"{where} is a {type(found).__name__}, not a MessageBus")
    return found
