"""Stock: sets goods aside for orders, in the way that a YAML document in the configuration center says.

What one learns here:

- A namespace may be a whole document (YAML, JSON, TOML), with its comments kept. `bind(..., namespace="reservation")`
  gives it as a model; a mode that is none of the two below does not get in, and the operator sees why.
- `pin` holds one moment: what is read inside belongs together, however often something is published meanwhile.
- `app.provide(Stock, ...)` answers calls of a service by an object that has its methods. Who calls is known by a token.
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
from collections.abc import Callable
from typing import Literal

import msgspec
from services import Stock

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
        self._until: deque[tuple[float, str, int]] = deque()
        self._lock = threading.Lock()  # calls are answered in threads

    def reserve(self, goods: str, pieces: int, rules: Reservation) -> bool:
        """Set pieces aside, if the rules let it."""
        with self._lock:
            if self.left(goods, rules) < pieces:
                return False
            self.held[goods] += pieces
            self._until.append((time.monotonic() + rules.hold_minutes * 60, goods, pieces))
            return True

    def left(self, goods: str, rules: Reservation) -> int:
        """Give how many may still be set aside."""
        limit = rules.shelf.get(goods, 0)
        if rules.mode == "oversell":
            limit += int(limit * rules.oversell_percent / 100)
        return limit - self.held[goods]

    def release(self) -> None:
        """Put back what was held for long enough."""
        with self._lock:
            while self._until and self._until[0][0] < time.monotonic():
                _, goods, pieces = self._until.popleft()
                self.held[goods] -= pieces


class Desk:
    """Answers for `Stock`: what is asked of this instance by other services."""

    def __init__(self, shelf: Shelf, rules: Callable[[], Reservation]) -> None:
        self._shelf = shelf
        self._rules = rules
        self.asked = 0

    def reserve(self, goods: str, pieces: int) -> bool:
        self.asked += 1
        return self._shelf.reserve(goods, pieces, self._rules())

    def left(self, goods: str) -> int:
        return self._shelf.left(goods, self._rules())


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
    desk = Desk(shelf, lambda: rules)
    app.provide(Stock, desk)

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
                if goods and not shelf.reserve(goods, 1, now):
                    refused += 1
                    log.debug("no %s left", goods)
            number += 1
            if time.monotonic() - said >= report.every:
                said = time.monotonic()
                held = shelf.held.total()
                told = f"{parcels} parcels packed, {desk.asked} calls answered"
                log.info("%d pieces set aside (%s), %d refused; %s", held, rules.mode, refused, told)


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
