"""Benchmark of calls: its goals (issue 6), and what measures them."""

from __future__ import annotations

import sys

from bench.figures import Goal
from bench.measurements import Measurement, main

GOALS = [
    Goal("vs_grpc_aio_c64", "calls a second over grpc.aio's, 64 at a time", at_least=10),
    Goal("vs_grpc_sync_c64", "the same over grpc's with threads", at_least=10),
    Goal("vs_grpc_aio_c1", "one at a time, over grpc.aio's", at_least=3),
    Goal("vs_thriftpy2_c64", "64 at a time, over thriftpy2's", at_least=4),
    Goal("vs_fastapi_aiohttp_c64", "the same over FastAPI's, called by aiohttp", at_least=8),
    Goal(
        "governed_vs_bare", "the same over calls without rules: one connection, one attempt, no choice", at_least=0.65
    ),
    Goal("vs_raw_uvloop_echo_c64", "those over a loop that gives back what it reads", at_least=0.4),
    Goal("sync_client_vs_grpc_sync_c1", "one at a time by a thread that blocks, over grpc's", at_least=3),
    Goal("large_1mb_vs_grpc", "calls of a megabyte, 8 at a time, over grpc.aio's", at_least=1),
    Goal("failover_failed_calls", "one of three providers killed with -9 under load: calls that failed", at_most=0),
    Goal("failover_p99_ratio", "p99 in the two seconds from then on over that before", at_most=3),
]
MEASUREMENTS = [
    Measurement(
        "calls", "bench.rpc.calls.measure", tuple(one.key for one in GOALS if "failover" not in one.key), deadline=300
    ),
    Measurement("failover", "bench.rpc.failover.measure", ("failover_failed_calls", "failover_p99_ratio"), deadline=60),
]

if __name__ == "__main__":
    sys.exit(main("bench.rpc", "calls between services", GOALS, MEASUREMENTS))
