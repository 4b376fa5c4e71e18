"""Benchmark of configuration: its goals (issue 3), and what measures them."""

from __future__ import annotations

import sys

from bench.figures import Goal
from bench.measurements import Measurement, main

GOALS = [
    Goal("read_ns", "one typed read from the bound view", at_most=150),
    Goal("publish_p50_ms", "publish call → callback; 1,000 clients of 50 applications, SQLite", at_most=20),
    Goal("publish_p99_ms", "the same", at_most=500),
    Goal("publish_real_p50_ms", "the same with PostgreSQL, Redis and ZooKeeper", at_most=30),
    Goal("publish_real_p99_ms", "the same", at_most=500),
    Goal("idle_clients", "streams held by one server process", at_least=10_000),
    Goal("idle_client_kb", "resident memory of the server for each"),
    Goal("storm_s", "10,000 clients all taking one release", at_most=10),
    Goal("start_lastgood_ms", "client start from the copy on disk, no server", at_most=50),
    Goal("up_s", "`qiantang up` to its first answer", at_most=3),
    Goal("up_rss_mb", "its resident memory", at_most=250),
    Goal("sdk_import_ms", "import qiantang, clean environment, built wheel", at_most=80),
    Goal("sdk_import_modules", "modules that this loads", at_most=250),
    Goal("sdk_import_app_ms", "the same for `from qiantang import App`, all that an application needs"),
    Goal("sdk_import_app_modules", "modules that this loads", at_most=250),
    Goal("guard_us", "one permission check", at_most=1),
    Goal("vs_zookeeper_p50", "publish_real over kazoo's DataWatch on the same ZooKeeper", at_most=2),
    Goal("vs_zookeeper_p99", "the same", at_most=1),
    Goal("read_vs_dynaconf", "our typed read over dynaconf's", at_most=0.5),
    Goal("read_vs_pydantic", "our typed read over pydantic-settings'", at_most=3),
    Goal("publish_one_app_p50_ms", "all 1,000 clients belong to the one application published"),
    Goal("publish_one_app_p99_ms", "the same"),
]
MEASUREMENTS = [
    Measurement(
        "read", "bench.config.reading.measure", ("read_ns", "read_vs_dynaconf", "read_vs_pydantic"), deadline=60
    ),
    Measurement("guard", "bench.config.guarding.measure", ("guard_us",), deadline=60),
    Measurement(
        "import",
        "bench.config.importing.measure",
        ("sdk_import_ms", "sdk_import_modules", "sdk_import_app_ms", "sdk_import_app_modules"),
        deadline=300,
    ),
    Measurement("up", "bench.config.starting.measure_up", ("up_s", "up_rss_mb"), deadline=180),
    Measurement("lastgood", "bench.config.starting.measure_last_good", ("start_lastgood_ms",), deadline=120),
    Measurement(
        "publish",
        "bench.config.publishing.measure",
        ("publish_p50_ms", "publish_p99_ms", "publish_one_app_p50_ms", "publish_one_app_p99_ms"),
        deadline=300,
    ),
    Measurement(
        "real",
        "bench.config.publishing.measure_real",
        ("publish_real_p50_ms", "publish_real_p99_ms", "vs_zookeeper_p50", "vs_zookeeper_p99"),
        deadline=420,
    ),
    Measurement("hold", "bench.config.holding.measure", ("idle_clients", "idle_client_kb", "storm_s"), deadline=420),
]

if __name__ == "__main__":
    sys.exit(main("bench.config", "configuration", GOALS, MEASUREMENTS))
