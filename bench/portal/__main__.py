"""Benchmark of the portal: its goals (issue 4), and what measures them."""

from __future__ import annotations

import sys

from bench.figures import Goal
from bench.measurements import Measurement, main

GOALS = [
    Goal("first_load_kb_gz", "what the first page needs, compressed", at_most=350),
    Goal("route_chunk_kb_gz_max", "the heaviest file that a page brings besides", at_most=150),
    Goal("lighthouse_performance", "of the home page, desktop", at_least=95),
    Goal("lighthouse_accessibility", "of the home page, desktop", at_least=100),
    Goal("list_10k_first_row_ms", "the address of a list of 10,000 applications → its first row", at_most=1000),
    Goal("search_100k_p95_ms", "a search among 100,000 resources", at_most=150),
    Goal("crowded_task_ms_max", "longest task after load: 10,000 keys, 5,000 instances, 2,000 users", at_most=200),
    Goal("stream_500_clients_p99_ms", "a change → each of 500 browsers told, ten a second", at_most=150),
    Goal("up_to_page_s", "`qiantang up --demo` → the first page in a browser", at_most=4),
    Goal("estate_rss_mb", "resident memory of the platform and the three services", at_most=450),
]
MEASUREMENTS = [
    Measurement("weight", "bench.portal.weighing.measure", ("first_load_kb_gz", "route_chunk_kb_gz_max"), deadline=60),
    Measurement("stream", "bench.portal.streaming.measure", ("stream_500_clients_p99_ms",), deadline=180),
    Measurement(
        "large",
        "bench.portal.large.measure",
        ("list_10k_first_row_ms", "search_100k_p95_ms"),
        deadline=300,
    ),
    Measurement("crowded", "bench.portal.crowded.measure", ("crowded_task_ms_max",), deadline=300),
    Measurement("demo", "bench.portal.showing.measure", ("up_to_page_s", "estate_rss_mb"), deadline=240),
    Measurement(
        "lighthouse",
        "bench.portal.lighthouse.measure",
        ("lighthouse_performance", "lighthouse_accessibility"),
        deadline=300,
    ),
]

if __name__ == "__main__":
    sys.exit(main("bench.portal", "portal", GOALS, MEASUREMENTS))
