"""Publishing: from the call of a publish until the callback ran, in 1,000 connected instances, and kazoo's the same way."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Generator
from typing import Any

from kazoo.client import KazooClient

from bench.children import Child
from bench.config import stage
from bench.config.stage import Application
from bench.figures import Value, quantile, rounded
from tests.servers.platform import Api, Platform

APPLICATIONS = 50
PROCESSES = 2
EACH = 10
"""Instances of an application in a process: 50 applications of 20 instances each."""
ALL = APPLICATIONS * PROCESSES * EACH
PASSES = 2
ONE_APPLICATION_ROUNDS = 15
OPEN_SECONDS = 180.0
ROUND_SECONDS = 60.0
QUIET_SECONDS = 0.4
"""Longer than instances wait before they acknowledge: one release at a time, over a system at rest."""
ONE_APPLICATION_QUIET_SECONDS = 1.5

Samples = list[float]


def measure() -> dict[str, Value]:
    """Publish with SQLite and embedded parts."""
    with stage.platform() as (platform, api):
        many, one, calls = _both(platform, api)
    return {
        "publish_p50_ms": _ms(many, 0.5),
        "publish_p99_ms": _ms(many, 0.99),
        "publish_call_p50_ms": _ms(calls, 0.5),
        "publish_one_app_p50_ms": _ms(one, 0.5),
        "publish_one_app_p99_ms": _ms(one, 0.99),
    }


def measure_real() -> dict[str, Value]:
    """Publish with PostgreSQL, Redis and ZooKeeper, and change nodes of the same ZooKeeper under kazoo's DataWatch."""
    with stage.servers() as servers:
        with stage.platform(*servers.flags()) as (platform, api):
            many, one, calls = _both(platform, api)
        watched, watched_one = _kazoo(servers.zookeeper.hosts)
    return {
        "publish_real_p50_ms": _ms(many, 0.5),
        "publish_real_p99_ms": _ms(many, 0.99),
        "publish_real_call_p50_ms": _ms(calls, 0.5),
        "publish_real_one_app_p50_ms": _ms(one, 0.5),
        "publish_real_one_app_p99_ms": _ms(one, 0.99),
        "zookeeper_p50_ms": _ms(watched, 0.5),
        "zookeeper_p99_ms": _ms(watched, 0.99),
        "zookeeper_one_node_p50_ms": _ms(watched_one, 0.5),
        "zookeeper_one_node_p99_ms": _ms(watched_one, 0.99),
        **_ratios("vs_zookeeper", many, watched),
        **_ratios("vs_zookeeper_one_app", one, watched_one),
    }


def _ratios(name: str, ours: Samples, theirs: Samples) -> dict[str, Value]:
    return {
        f"{name}_p50": rounded(quantile(ours, 0.5) / quantile(theirs, 0.5)),
        f"{name}_p99": rounded(quantile(ours, 0.99) / quantile(theirs, 0.99)),
    }


def _ms(samples: Samples, share: float) -> float:
    return rounded(quantile(samples, share))


def _both(platform: Platform, api: Api) -> tuple[Samples, Samples, Samples]:
    """Give the milliseconds of both definitions, and of the publish calls alone."""
    applications = stage.make(api, APPLICATIONS)
    many, calls = _spread(platform, api, applications)
    with _instances(platform, applications[:1], ALL // PROCESSES) as children:
        one, _ = _rounds(
            api, children, applications[:1], rounds=ONE_APPLICATION_ROUNDS, quiet=ONE_APPLICATION_QUIET_SECONDS
        )
    return many, one, calls


def _spread(platform: Platform, api: Api, applications: list[Application]) -> tuple[Samples, Samples]:
    with _instances(platform, applications, EACH) as children:
        return _rounds(api, children, applications, rounds=PASSES, quiet=QUIET_SECONDS)


@contextlib.contextmanager
def _instances(platform: Platform, applications: list[Application], each: int) -> Generator[list[Child]]:
    with _children("bench.config.instances") as children:
        for index, child in enumerate(children):
            options = [application.options() for application in applications]
            order = {"servers": [platform.address], "applications": options, "each": each, "prefix": f"process-{index}"}
            child.order(order)
        _await_open(children, len(applications) * each * PROCESSES)
        yield children


@contextlib.contextmanager
def _children(module: str) -> Generator[list[Child]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Child(module)) for _ in range(PROCESSES)]


def _await_open(children: list[Child], wanted: int) -> None:
    opened = sum(child.answer(OPEN_SECONDS)["open"] for child in children)
    if opened != wanted:
        raise RuntimeError(f"{opened} of {wanted} are open")
    time.sleep(2)  # what opening set off is written


def _rounds(
    api: Api, children: list[Child], applications: list[Application], *, rounds: int, quiet: float
) -> tuple[Samples, Samples]:
    """Publish one application at a time; the first pass over them warms up and does not count."""
    taken: Samples = []
    calls: Samples = []
    publish = stage.Publisher(api)
    for number in range(1, rounds + 2):
        for application in applications:
            stage.draft(api, application, number)
            time.sleep(quiet)

            found, call = _change(
                functools.partial(publish, application), children, {"application": application.name, "number": number}
            )
            if number > 1:
                taken += found
                calls.append(call)
    return taken, calls


def _change(change: Callable[[], None], children: list[Child], expected: dict[str, Any]) -> tuple[Samples, float]:
    """Do something; give the milliseconds until each callback of it ran, and until the call came back."""
    began = time.monotonic_ns()
    change()
    call = (time.monotonic_ns() - began) / 1e6
    taken: Samples = []
    for child in children:
        heard = child.answer(ROUND_SECONDS)
        if {key: heard[key] for key in expected} != expected:
            raise RuntimeError(f"expected {expected}, heard of {heard}")
        taken += [(at - began) / 1e6 for at in heard["at"]]
    return taken, call


def _client(hosts: str) -> Any:  # kazoo leaves its types open
    client = KazooClient(hosts=hosts, timeout=20)
    client.start(60)
    return client


def _kazoo(hosts: str) -> tuple[Samples, Samples]:
    """Change nodes one at a time under as many watchers: fifty nodes with twenty each, then one with all thousand."""
    paths = [f"/bench/app-{index:03d}" for index in range(APPLICATIONS)]
    client = _client(hosts)
    try:
        for path in [*paths, "/bench/one"]:
            client.create(path, b"0", makepath=True)
        many = _node_rounds(client, hosts, paths, EACH, rounds=PASSES, quiet=QUIET_SECONDS)
        one = _node_rounds(
            client,
            hosts,
            ["/bench/one"],
            ALL // PROCESSES,
            rounds=ONE_APPLICATION_ROUNDS,
            quiet=ONE_APPLICATION_QUIET_SECONDS,
        )
    finally:
        client.stop()
        client.close()
    return many, one


def _node_rounds(client: Any, hosts: str, paths: list[str], each: int, *, rounds: int, quiet: float) -> Samples:
    taken: Samples = []
    with _children("bench.config.watchers") as children:
        for child in children:
            child.order({"hosts": hosts, "paths": paths, "each": each})
        _await_open(children, len(paths) * each * PROCESSES)
        for number in range(1, rounds + 2):
            for path in paths:
                time.sleep(quiet)

                def change(path: str = path, number: int = number) -> None:
                    client.set(path, str(number).encode())

                found, _ = _change(change, children, {"path": path, "number": number})
                if number > 1:
                    taken += found
    return taken
