"""Large: a tenant of ten thousand applications and a hundred thousand resources, as a browser and a search meet it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Value, quantile, rounded
from bench.portal import rows
from tests.pages.browser import Person, chromium
from tests.servers.platform import PASSWORD, USER, Api, Platform

APPLICATIONS = 10_000
RESOURCES = 100_000
PER_APPLICATION = RESOURCES // APPLICATIONS
OPENINGS = 7
WORDS = ("order", "timeout", "app-04711", "redis.pool", "7777", "stock.res", "o", "nothing-has-this")
ROUNDS = 12


def measure() -> dict[str, Value]:
    """Fill the database directly, since what is measured is reading; then open the list and search."""
    platform = Platform()
    try:
        platform.start()
        api = platform.administrator()
        api.make_application("acme/dev/trade/app-00000")
        api.set("acme/dev/trade/app-00000", {"order.create.timeout_ms": 1500})
        api.publish("acme/dev/trade/app-00000")
        fill(platform.data / "qiantang.sqlite3")
        return {**_list(platform), **_search(api)}
    finally:
        platform.close()


def fill(file: Path) -> None:
    """Copy the one application, its bundle and its search rows as often as is asked for."""
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        application = rows.first(db, "identity_application", "name = 'app-00000'")
        bundle = rows.first(db, "bundle", "application = 'app-00000'")
        for number in range(1, APPLICATIONS):
            name = f"app-{number:05d}"
            rows.insert(db, "identity_application", application | {"name": name, "title": f"Application {number}"})
            key = rows.insert(db, "bundle", bundle | {"application": name, "id": None})
            texts = [
                (key, "namespace", "application", f"order.item-{one}.timeout_ms", f"{number * PER_APPLICATION + one}")
                for one in range(PER_APPLICATION)
            ]
            db.executemany("INSERT INTO resource_text (bundle, kind, name, path, text) VALUES (?, ?, ?, ?, ?)", texts)


@contextlib.contextmanager
def _somebody(platform: Platform) -> Iterator[Person]:
    with chromium() as browser:
        person = Person.at(browser, platform.address)
        try:
            person.signs_in(USER, PASSWORD)
            yield person
        finally:
            person.close()


def _list(platform: Platform) -> dict[str, Value]:
    took: list[float] = []
    with _somebody(platform) as person:
        for _ in range(OPENINGS):
            person.page.goto("about:blank")
            began = time.monotonic()
            person.page.goto(f"{platform.address}/t/acme/dev/apps", wait_until="commit")
            person.page.wait_for_selector("main [data-row]")
            took.append(time.monotonic() - began)
    return {"list_10k_first_row_ms": rounded(quantile(took, 0.5) * 1000)}


def _search(api: Api) -> dict[str, Value]:
    took: list[float] = []
    for _ in range(ROUNDS):
        for words in WORDS:
            began = time.monotonic()
            api.call("GET", f"search/acme?words={words}")
            took.append(time.monotonic() - began)
    return {
        "search_100k_p50_ms": rounded(quantile(took, 0.5) * 1000),
        "search_100k_p95_ms": rounded(quantile(took, 0.95) * 1000),
    }
