"""Billing: writes bills in several currencies, at rates from a JSON document in the configuration center.

What one learns here:

- A namespace may have a JSON Schema: what does not fit it cannot be published.
- What no schema knows, the program says: a callback that raises does not take the change in. The old rates stay in use, and the
  portal shows this instance red, with the reason, until a change comes that it takes.
- `order="key"`, published with the subscription, has the orders of each instance come one after the other, as they were sent.
- `report.every` and `log.level` are inherited from a public namespace of another application, which order and stock share.

It runs by itself as well; README.md beside it says how.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time

import msgspec

import qiantang


class Rates(msgspec.Struct):
    """How much of each currency one yuan buys."""

    base: str = "CNY"
    rates: dict[str, float] = {}


class Bills(msgspec.Struct):
    """How many bills are written, and with which tax."""

    per_minute: float = 20.0
    tax_percent: float = 6.0


class Report(msgspec.Struct):
    """How often to say how it goes, in seconds. Inherited from the namespace that all services share."""

    every: float = 60.0


class Order(msgspec.Struct):
    """What billing needs to know of an order."""

    number: int
    yuan: float


class Desk:
    """Where bills are written: at the rates that it took in last, in yuan alone before that."""

    def __init__(self, published: Rates) -> None:
        self._published = published
        self.rates = {"CNY": 1.0}
        self.written = 0
        self.total = 0.0
        self.open = 0.0

    def take(self) -> None:
        """Take the published rates in, all of them or none.

        Raises:
            ValueError: one of them cannot be right.
        """
        base, rates = self._published.base, dict(self._published.rates)
        wrong = sorted(currency for currency, rate in rates.items() if rate <= 0)
        if wrong:
            raise ValueError(f"the rate of {', '.join(wrong)} is not above zero: bills would be for nothing")
        self.rates = {base: 1.0, **rates}

    def write(self, yuan: float, tax_percent: float) -> tuple[str, float]:
        """Write the next bill; give its currency and amount."""
        currency = sorted(self.rates)[self.written % len(self.rates)]
        self.written += 1
        self.total += yuan
        return currency, yuan * self.rates[currency] * (1 + tax_percent / 100)


def run(app: qiantang.sync.App, stop: threading.Event) -> None:
    """Write bills until asked to stop."""
    log = logging.getLogger(app.status().instance)
    desk = Desk(app.config.bind(Rates, namespace="rates"))
    bills = app.config.bind(Bills, prefix="bills")
    report = app.config.bind(Report, prefix="report")
    app.config.on_change("*", desk.take, namespace="rates")

    @app.config.on_change("*", namespace="rates")
    def changed(event: qiantang.config.Event) -> None:
        log.info("revision %d changes %s", event.revision, ", ".join(list(event.changes)[:6]))

    @app.config.on_change("log.level")
    def level() -> None:
        log.setLevel(app.config.get("log.level", "INFO"))

    @app.bus.subscribe("order.taken")
    def charge(order: Order) -> None:
        desk.open += order.yuan

    with app:
        level()
        with contextlib.suppress(ValueError):  # what is there at the start; of all that comes later `take` hears
            desk.take()
        said = time.monotonic() - report.every + 7  # a first word after seven seconds
        while not stop.wait(min(5.0, max(0.05, 60 / max(bills.per_minute, 1)))):
            currency, amount = desk.write(40.0 + desk.written % 9, bills.tax_percent)
            log.debug("bill %d: %.2f %s", desk.written, amount, currency)
            if time.monotonic() - said >= report.every:
                said = time.monotonic()
                told = (desk.written, desk.total, len(desk.rates), desk.open)
                log.info("%d bills over %.0f yuan in %d currencies; orders over %.0f yuan came in", *told)


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
