"""Consumers: processes that take part in a group of messaging and note what they took, for tests that kill them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from qiantang.messaging import MessageBus, Topic
from qiantang.messaging.testing import Rig

PROGRAM = """
import asyncio, sys, time
import msgspec
from qiantang.messaging import Context, Estate, MessageBus
from qiantang.messaging.testing import PLACE

estate, topic, out = msgspec.json.decode(sys.argv[1], type=Estate), sys.argv[2], sys.argv[3]

async def main():
    bus = MessageBus(estate, PLACE)

    @bus.subscribe(topic, order="key", concurrency=8)
    async def take(body: int, context: Context) -> None:
        await asyncio.sleep(0.005)
        with open(out, "a") as file:
            file.write(f"{time.time_ns()} {context.key} {body}\\n")

    async with bus:
        await asyncio.sleep(3600)

asyncio.run(main())
"""
KEYS = 7
MESSAGES = 300


class Consumers:
    """Of one topic, over the broker of a rig. `first` are lines of Python that each process runs before all else."""

    def __init__(self, rig: Rig, topic: Topic, folder: Path, first: str = "") -> None:
        self._rig = rig
        self._topic = topic
        self._folder = folder
        self._program = first + PROGRAM
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Have one more take part."""
        estate = msgspec.json.encode(self._rig.estate(self._topic)).decode()
        out = self._folder / f"{len(self._running)}.txt"
        program = [sys.executable, "-c", self._program, estate, self._topic.name, str(out)]
        self._running.append(subprocess.Popen(program, env={**os.environ}))

    def has_ended(self, number: int) -> bool:
        """Whether one of them, counted from 0, has ended by itself."""
        return self._running[number].poll() is not None

    def seen(self) -> list[tuple[int, str, int]]:
        """Give what all of them took, in the order in which they did: when, of which key, and which number."""
        lines = [line.split() for file in self._folder.glob("*.txt") for line in file.read_text().splitlines()]
        return sorted((int(at), key, int(body)) for at, key, body in lines if body)

    async def lose_nothing_while_they_are_killed(self, bus: MessageBus) -> None:
        """Send while one after the other is killed; what was sent is taken, and of each key in its order."""
        try:
            self.start()
            self.start()
            while not self.seen():  # the group receives what is sent once one of them has joined
                await bus.send(self._topic.name, 0, key="k0")
                await asyncio.sleep(0.2)
            for number in range(1, MESSAGES + 1):
                await bus.send(self._topic.name, number, key=f"k{number % KEYS}")
                if number % 100 == 50:
                    self._running[-2].send_signal(signal.SIGKILL)
                    self.start()
            sent = set(range(1, MESSAGES + 1))
            await self._rig.until(lambda: {body for _, _, body in self.seen()} >= sent, "all taken")
        finally:
            for process in self._running:
                process.kill()
                process.wait(10)
        for key in range(KEYS):
            firsts = list(dict.fromkeys(body for _, name, body in self.seen() if name == f"k{key}" and body))
            assert firsts == [number for number in range(1, MESSAGES + 1) if number % KEYS == key]
