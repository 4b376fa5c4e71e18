"""Calls: an order of about 200 bytes there and back, through ours and its peers, one server and one calling process, in turns."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import msgspec

from bench.children import Child
from bench.figures import Value, rounded
from bench.rpc.stacks.load import Found

STACKS = ("csf1", "csf1_bare", "csf1_blocking", "raw", "grpc_aio", "grpc_sync", "thrift", "fastapi_aiohttp")
SECONDS = 1.0
ROUNDS = 4
ANSWER_SECONDS = 60.0


class Pair:
    """A server and a caller of one stack."""

    def __init__(self, stack: str, server: Child, caller: Child) -> None:
        self.stack = stack
        self._address = server.answer(ANSWER_SECONDS)["address"]
        self._caller = caller

    def measure(self, concurrency: int, way: str = "measure") -> Found:
        """Call for a while."""
        order = {"address": self._address, "concurrency": concurrency, "seconds": SECONDS, "way": way}
        self._caller.order(order)
        return msgspec.convert(self._caller.answer(ANSWER_SECONDS), Found)


@contextlib.contextmanager
def pair(stack: str) -> Generator[Pair]:
    """Start both."""
    with Child("bench.rpc.ends", stack, "serve") as server, Child("bench.rpc.ends", stack, "measure") as caller:
        yield Pair(stack, server, caller)


def measure() -> dict[str, Value]:
    """Let the stacks take turns; each one's best counts: what disturbs a round only takes from it."""
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(pair(name)) for name in STACKS]
        best = {(one.stack, concurrency): found for concurrency in (64, 1) for one, found in _best(pairs, concurrency)}
        large = dict(_best([one for one in pairs if one.stack in ("csf1", "grpc_aio")], 8, "measure_large"))
    ours, one_at_a_time = best["csf1", 64], best["csf1", 1]
    figures: dict[str, Value] = {
        "vs_grpc_aio_c64": rounded(ours.per_s / best["grpc_aio", 64].per_s),
        "vs_grpc_sync_c64": rounded(ours.per_s / best["grpc_sync", 64].per_s),
        "vs_grpc_aio_c1": rounded(one_at_a_time.per_s / best["grpc_aio", 1].per_s),
        "vs_thriftpy2_c64": rounded(ours.per_s / best["thrift", 64].per_s),
        "vs_fastapi_aiohttp_c64": rounded(ours.per_s / best["fastapi_aiohttp", 64].per_s),
        "vs_raw_uvloop_echo_c64": rounded(best["csf1_bare", 64].per_s / best["raw", 64].per_s),
        "governed_vs_bare": rounded(ours.per_s / best["csf1_bare", 64].per_s),
        "sync_client_vs_grpc_sync_c1": rounded(best["csf1_blocking", 1].per_s / best["grpc_sync", 1].per_s),
        "large_1mb_vs_grpc": rounded(_of(large, "csf1").per_s / _of(large, "grpc_aio").per_s),
    }
    for (name, concurrency), found in best.items():
        figures[f"{name}_c{concurrency}_per_s"] = rounded(found.per_s)
        figures[f"{name}_c{concurrency}_p99_us"] = rounded(found.p99_us)
    return figures


def _of(found: dict[Pair, Found], stack: str) -> Found:
    return next(value for one, value in found.items() if one.stack == stack)


def _best(pairs: list[Pair], concurrency: int, way: str = "measure") -> list[tuple[Pair, Found]]:
    rounds = [[one.measure(concurrency, way) for one in pairs] for _ in range(ROUNDS)]
    return [
        (one, max(found, key=lambda each: each.per_s))
        for one, found in zip(pairs, zip(*rounds, strict=True), strict=True)
    ]
