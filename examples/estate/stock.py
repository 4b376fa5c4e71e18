"""Stock: sets goods aside for orders, in the way that a YAML document in the configuration center says.

What one learns here:

- A namespace may be a whole document (YAML, JSON, TOML), with its comments kept. `bind(..., namespace="reservation")`
  gives it as a model; a mode that is none of the two below does not get in, and the operator sees why.
- `pin` holds one moment: what is read inside belongs together, however often something is published meanwhile.
- `@app.bus.subscribe` has a function called with each message of a topic, once for all instances of stock: they are one group.
- `application@hz-b` overrides `application` for the instances of one cluster; the program does not know of it.

It runs by itself as well; README.md beside it says how.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections import Counter, deque
from typing import Literal

import msgspec

import qiantang


class Reservation(msgspec.Struct):
    """How goods are set aside."""

    mode: Literal["strict", "oversell"] = "strict"
    hold_minutes: float = 15.0
    oversell_percent: float = 10.0
    shelf: dict[str, int] = msgspec.field(default_factory=lambda: {"cups": 100})


class Report(msgspec.Struct):
    """How often to say how it goes, in seconds. Inherited from the namespace that all services share."""

    every: float = 60.0


class Order(msgspec.Struct):
    """What stock needs to know of an order."""

    number: int
    items: int


class Shelf:
    """What is set aside of each kind of goods, and until when."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self._until: deque[tuple[float, str]] = deque()

    def reserve(self, goods: str, rules: Reservation) -> bool:
        """Set one piece aside, if the rules let it."""
        limit = rules.shelf[goods]
        if rules.mode == "oversell":
            limit += int(limit * rules.oversell_percent / 100)
        if self.held[goods] >= limit:
            return False
        self.held[goods] += 1
        self._until.append((time.monotonic() + rules.hold_minutes * 60, goods))
        return True

    def release(self) -> None:
        """Put back what was held for long enough."""
        while self._until and self._until[0][0] < time.monotonic():
            self.held[self._until.popleft()[1]] -= 1


def run(app: qiantang.sync.App, stop: threading.Event) -> None:
    """Reserve until asked to stop."""
    log = logging.getLogger(app.status().instance)
    rules = app.config.bind(Reservation, namespace="reservation")
    report = app.config.bind(Report, prefix="report")

    @app.config.on_change("*", namespace="reservation")
    def changed(event: qiantang.config.Event) -> None:
        told = ", ".join(f"{key} {change}" for key, change in list(event.changes.items())[:5])
        log.info("revision %d: %s", event.revision, told)

    @app.config.on_change("log.level")
    def level() -> None:
        log.setLevel(app.config.get("log.level", "INFO"))

    shelf, refused, number, parcels = Shelf(), 0, 0, 0

    @app.bus.subscribe("order.taken")
    def pack(order: Order) -> None:
        nonlocal parcels
        parcels += 1
        log.debug("a parcel of %d for order %d", order.items, order.number)

    with app:
        level()
        said = time.monotonic() - report.every + 6  # a first word after six seconds
        while not stop.wait(1.0):
            shelf.release()
            with app.config.pin() as moment:
                now = moment[rules]
                goods = sorted(now.shelf)[number % len(now.shelf)] if now.shelf else ""
                if goods and not shelf.reserve(goods, now):
                    refused += 1
                    log.debug("no %s left", goods)
            number += 1
            if time.monotonic() - said >= report.every:
                said = time.monotonic()
                held = shelf.held.total()
                log.info("%d pieces set aside (%s), %d refused; %d parcels packed", held, rules.mode, refused, parcels)


def main() -> None:
    """Run as one instance, which the environment describes (QIANTANG_CLIENT_…)."""
    logging.basicConfig(format="%(name)s | %(message)s", level=logging.INFO, stream=sys.stdout)
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    run(qiantang.sync.App(), stop)


if __name__ == "__main__":
    main()
