"""Benchmark of messaging: its goals (issue 5), and what measures them."""

from __future__ import annotations

import sys

from bench.figures import Goal
from bench.measurements import Measurement, main

GOALS = [
    Goal("send_cpu_us", "the framework's own CPU to send 1 KB with key, tag and header, many at once", at_most=15),
    Goal("consume_cpu_us", "the same to consume it: typed, with its context", at_most=15),
    Goal("consume_ordered_cpu_us", "the same in order of 100 keys"),
    Goal("send_one_cpu_us", "the same to send, one `await send` each, 500 at a time"),
]
MEASUREMENTS = [
    Measurement(
        "cpu",
        "bench.messaging.cpu.measure",
        ("send_cpu_us", "consume_cpu_us", "consume_ordered_cpu_us", "send_one_cpu_us"),
        deadline=180,
    ),
]

if __name__ == "__main__":
    sys.exit(main("bench.messaging", "messaging", GOALS, MEASUREMENTS))
