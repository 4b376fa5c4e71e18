"""Greeter: a small program whose settings live in the center. Run by `qiantang up --demo`; read it as an example."""

from __future__ import annotations

import sys
import time

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


def main() -> None:
    """Greet for ever, and tell of each change of the settings."""
    with qiantang.sync.App() as app:
        greeting = app.config.bind(Greeting, prefix="greeting")

        @app.config.on_change("greeting.*")
        def changed(event: qiantang.config.ChangeEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            for change in event.changes:
                say(f"{change.key} is now {change.after!r} (was {change.before!r}, revision {event.revision})")

        while True:
            say(greeting.text.upper() if greeting.shout else greeting.text)
            time.sleep(max(0.2, greeting.every))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
