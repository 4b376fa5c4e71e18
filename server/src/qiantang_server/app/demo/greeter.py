"""Greeter: a small program whose settings live in the center. Run by `qiantang up --demo`; read it as an example."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from types import FrameType

import msgspec

import qiantang


class Greeting(msgspec.Struct):
    """What the greeter is told; the defaults count where the center says nothing."""

    text: str = "hello"
    every: float = 5.0
    shout: bool = False


def say(line: str) -> None:
    """Write a line at once, so that it is seen as it happens."""
    print(f"greeter | {line}", flush=True)  # noqa: T201  # a program's output, not a log


def stop(_number: int, _frame: FrameType | None) -> None:
    """End in order: `with` closes what it opened."""
    sys.exit(0)


def main() -> None:
    """Greet for ever, and tell of each change of the settings."""
    with qiantang.sync.App() as app:
        greeting = app.config.bind(Greeting, prefix="greeting")

        @app.config.on_change("greeting.*")
        def changed(event: qiantang.config.Event) -> None:
            for key, change in event.changes.items():
                say(f"revision {event.revision}: {key} {change}")

        while True:
            say(greeting.text.upper() if greeting.shout else greeting.text)
            time.sleep(max(0.2, greeting.every))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    with contextlib.suppress(KeyboardInterrupt):
        main()
