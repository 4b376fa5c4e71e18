"""Crowded: ten thousand keys, five thousand instances and two thousand users, and what a browser's main thread makes of them."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from typing import Any

from bench.figures import Value, rounded
from bench.portal import rows
from tests.pages.browser import Person, chromium
from tests.servers.platform import PASSWORD, USER, Api, Platform

KEYS = 10_000
INSTANCES = 5_000
USERS = 2_000
SCOPE = "acme/dev/trade/order"
HUB = "/t/acme/dev/apps/trade/order"
PAGES = {
    "editor": (f"{HUB}/config/edit/application", "item-07"),
    "instances": (f"{HUB}/instances", "order-04"),
    "convergence": (f"{HUB}/config/publish", ""),
    "users": ("/t/acme/-/users", "user-19"),
}
_WATCH = """() => {
  window.tasks = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: 'longtask', buffered: false });
}"""
_FRAMES = """() => {
  window.frame = 0;
  let before = performance.now();
  const look = (now) => { window.frame = Math.max(window.frame, now - before); before = now; requestAnimationFrame(look); };
  requestAnimationFrame(look);
}"""
TURNS = 80
TURN_PX = 240


def measure() -> dict[str, Value]:
    """Seed, then open each page, rest, scroll and search; the longest task and frame of each."""
    platform = Platform()
    try:
        platform.start()
        seed(platform)
        found: dict[str, Value] = {}
        with chromium() as browser:
            person = Person.at(browser, platform.address)
            person.signs_in(USER, PASSWORD)
            for name, (path, words) in PAGES.items():
                task, frame, drawn = _looked_at(person, path, words)
                found |= {
                    f"crowded_{name}_task_ms": rounded(task),
                    f"crowded_{name}_frame_ms": rounded(frame),
                    f"crowded_{name}_rows": drawn,
                }
            person.close()
        tasks = [float(value or 0) for name, value in found.items() if name.endswith("_task_ms")]
        return {"crowded_task_ms_max": max(tasks), **found}
    finally:
        platform.close()


def _looked_at(person: Person, path: str, words: str) -> tuple[float, float, int]:
    page = person.open(path)
    page.wait_for_timeout(1500)
    page.evaluate(_WATCH)
    page.evaluate(_FRAMES)
    page.mouse.move(700, 500)
    for _ in range(TURNS):
        page.mouse.wheel(0, TURN_PX)
    frame = float(page.evaluate("() => window.frame"))
    if words:
        page.keyboard.press("/")
        page.keyboard.type(words, delay=60)
        page.wait_for_timeout(800)
    tasks: list[float] = page.evaluate("() => window.tasks")
    return max(tasks, default=0.0), frame, page.locator("main [data-row], main [role=row], main tr").count()


def seed(platform: Platform) -> None:
    """Write what is many directly, since what is measured is reading."""
    api: Api = platform.administrator()
    api.make_application(SCOPE)
    api.set(SCOPE, {f"order.item-{number:05d}.limit": number for number in range(KEYS)})
    api.publish(SCOPE)
    api.set(SCOPE, {f"order.item-{number:05d}.limit": number + number % 100 // 99 for number in range(KEYS)})
    api.call("POST", "identity/tenants/acme/users", {"name": "user-0", "password": PASSWORD, "title": "User 0"})
    with contextlib.closing(sqlite3.connect(platform.data / "qiantang.sqlite3", timeout=30)) as db, db:
        _users(db)
        _instances(db)


def _users(db: sqlite3.Connection) -> None:
    row = rows.first(db, "identity_user", "name = 'user-0'")
    for number in range(1, USERS):
        name = f"user-{number}"
        rows.insert(db, "identity_user", row | {"id": _key(name), "name": name, "title": f"User {number}"})


def _instances(db: sqlite3.Connection) -> None:
    now = int(time.time() * 1000)
    bundle = f"{SCOPE}:config"
    epoch = db.execute("SELECT epoch FROM bundle").fetchone()[0]
    tenant, environment, center, application = SCOPE.split("/")
    for number in range(INSTANCES):
        name = f"order-{number:05d}"
        place = {"tenant": tenant, "environment": environment, "center": center, "application": application}
        said = {"name": name, "cluster": f"zone-{number % 5}", "labels": "{}", "host": "bench", "process": number}
        state = {"version": "1", "node": "bench", "connected": 1, "connected_at": now, "seen_at": now + 3_600_000}
        rows.insert(db, "instance", {"id": _key(name), **place, **said, **state})
        failed = number % 500 == 0
        held: dict[str, Any] = {"instance": _key(name), "bundle_id": _key(bundle), "bundle": bundle, "epoch": epoch}
        took = {"revision": 1, "digest": "0" * 64, "gray": "", "status": "failed" if failed else "applied"}
        told = {"error": "the pool is too small" if failed else "", "took_ms": number % 40, "applied_at": now}
        rows.insert(db, "instance_held", {**held, **took, **told})


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
