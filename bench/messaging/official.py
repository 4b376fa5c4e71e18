"""Official: messages through RocketMQ's own Python client, in an interpreter that has it and nothing of ours.

Run as a program: `endpoints topic group messages batch body_file`. Its asynchronous send, as many at a time as ours; its simple
consumer, 32 messages a call and eight calls at a time, each message acknowledged once it was decoded. Answers with one line of
JSON: messages a second sent while they are consumed, and from the first send to the last acknowledged.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from rocketmq import ClientConfiguration, Credentials, FilterExpression, Message, Producer, SimpleConsumer

RECEIVERS = 8
INVISIBLE_SECONDS = 60
FIRST_SECONDS = 20.0
"""So long a consumer may need until its first call is answered well."""


def main() -> None:
    """Send one batch that does not count, then all; say how fast that was."""
    endpoints, topic, group, messages, batch, file = sys.argv[1:]
    body = Path(file).read_text()
    configuration = ClientConfiguration(endpoints, Credentials())
    consumer = SimpleConsumer(configuration, group, {topic: FilterExpression("*")})
    consumer.startup()
    producer = Producer(configuration, (topic,))
    producer.startup()
    taken = Taken(consumer)
    began = ended = 0.0
    total = 0
    for count in (int(batch), int(messages)):
        began = time.perf_counter()
        for _ in range(0, count, int(batch)):
            futures = [producer.send_async(_message(topic, body)) for _ in range(int(batch))]
            wait(futures)
            for one in futures:
                one.result()
        ended = time.perf_counter()
        total += count
        taken.reach(total)
    took = time.perf_counter() - began
    print(json.dumps([int(messages) / (ended - began), int(messages) / took]), flush=True)
    taken.stop.set()
    sys.stdout.close()
    os._exit(0)  # its threads print for half a minute when they are asked to end


class Taken:
    """Receives in threads, and counts what was acknowledged."""

    def __init__(self, consumer: Any) -> None:
        self.stop = threading.Event()
        self._consumer = consumer
        self._count = 0
        self._changed = threading.Condition()
        for number in range(RECEIVERS):
            threading.Thread(target=self._receive, name=f"receive {number}", daemon=True).start()

    def reach(self, count: int) -> None:
        """Wait for so many in all."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._count >= count, 90):
                raise TimeoutError(f"{self._count} of {count} came")

    def _receive(self) -> None:
        gives_up = time.monotonic() + FIRST_SECONDS
        while not self.stop.is_set():
            try:
                found = self._consumer.receive(32, INVISIBLE_SECONDS)
            except Exception:
                if time.monotonic() > gives_up:
                    raise
                time.sleep(0.3)
                continue
            for one in found or ():
                json.loads(one.body)
                self._consumer.ack(one)
            if found:
                with self._changed:
                    self._count += len(found)
                    self._changed.notify_all()


def _message(topic: str, body: str) -> Message:
    message = Message()
    message.topic = topic
    message.body = json.dumps(body).encode()
    return message


if __name__ == "__main__":
    main()
