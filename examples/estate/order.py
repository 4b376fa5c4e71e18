"""Order: takes orders at the rate that the configuration center says.

What one learns here:

- `bind` gives settings that are typed and live: an attribute read, always the newest, never half of a change.
- `on_change` runs a function within milliseconds of a publish. What it raises is shown to the operator.
- `LiveResource` builds a connection anew when its secret changes, and keeps the old one where the new one does not work.
- A feature flag is a bool that is read where it matters, and a log level is a setting like any other.
- `app.client(Stock, of="stock")` calls another service by its Python type. Where its nodes are the platform knows; what happens
  when one of them is slow or gone is said by rules that are published, and can change while this runs.
- `app.bus` sends a message for each order. Which broker carries it is published in the center, and may change while this runs;
  messages of one key come in the order in which they were sent.

It runs by itself as well; README.md beside it says how.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time

import msgspec
from services import Stock

import qiantang
from qiantang.kernel import errors


class Orders(msgspec.Struct):
    """How many orders come, and how large they may be; what stands here counts where the center says nothing."""

    per_minute: float = 30.0
    largest: int = 5


class Features(msgspec.Struct):
    """What is switched on."""

    express: bool = False


class Report(msgspec.Struct):
    """How often to say how it goes, in seconds. Inherited from the namespace that all services share."""

    every: float = 60.0


class Order(msgspec.Struct):
    """What others are told of an order."""

    number: int
    items: int
    yuan: float


class Database:
    """Stands for a connection to a database: it only counts."""

    def __init__(self, dsn: str) -> None:
        self.name = dsn.rpartition("/")[2]
        self.rows = 0

    def insert(self, _items: int) -> None:
        """Write an order down."""
        self.rows += 1


def connect(dsn: str) -> Database:
    """Connect to the database that a secret names. Raising says no: the connection before stays in use."""
    if not dsn.startswith("postgresql://"):
        raise ValueError("database.dsn is no address of a PostgreSQL")  # never put a secret into an error
    return Database(dsn)


class Promises:
    """What stock says of orders: it is asked for each, and no answer keeps an order from being taken."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self.kept = self.broken = self.unanswered = 0

    def ask(self, pieces: int, log: logging.Logger) -> None:
        """Have the tea of an order set aside."""
        try:
            promised = self._stock.reserve("longjing", pieces)
        except errors.QiantangError as error:
            self.unanswered += 1
            log.debug("stock does not answer: %s", error.detail)
            return
        self.kept, self.broken = self.kept + promised, self.broken + (not promised)

    def __str__(self) -> str:
        """Say how it went."""
        said = f"{self.kept} promised by stock, {self.broken} not"
        return f"{said}, {self.unanswered} without an answer" if self.unanswered else said


def run(app: qiantang.sync.App, stop: threading.Event) -> None:
    """Take orders until asked to stop."""
    log = logging.getLogger(app.status().instance)
    orders = app.config.bind(Orders, prefix="orders")
    features = app.config.bind(Features, prefix="features")
    report = app.config.bind(Report, prefix="report")

    @app.config.on_change("*")
    def changed(event: qiantang.config.Event) -> None:
        told = ", ".join(f"{key} {change}" for key, change in list(event.changes.items())[:5])
        log.info("revision %d: %s", event.revision, told)  # a secret shows as its mask

    @app.config.on_change("log.level")
    def level() -> None:
        log.setLevel(app.config.get("log.level", "INFO"))

    taken = items = express = 0
    bus = app.bus.sync  # asked for before the App is opened, which opens it as well
    promises = Promises(app.client(Stock, of="stock"))
    with app, qiantang.LiveResource(app.config, connect, key="database.dsn") as database:
        level()
        said = time.monotonic() - report.every + 5  # a first word after five seconds
        while not stop.wait(pause(orders.per_minute)):
            size = 1 + taken * 7 % max(1, orders.largest)
            with database.use() as connection:  # not drained while it is in use
                connection.insert(size)
                where = connection.name
            taken, items, express = taken + 1, items + size, express + (features.express and size == 1)
            promises.ask(size, log)
            bus.oneway("order.taken", Order(taken, size, 19.0 * size), key=log.name)  # what fails is counted and logged
            log.debug("order %d with %d items", taken, size)
            if time.monotonic() - said >= report.every:
                said = time.monotonic()
                fast = f", {express} by express" if features.express else ""
                log.info("%d orders with %d items%s, written to database %s; %s", taken, items, fast, where, promises)


def pause(per_minute: float) -> float:
    """Give the seconds until the next order: at least a twentieth, at most five, so that a new rate is soon seen."""
    return min(5.0, max(0.05, 60 / max(per_minute, 1)))


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
