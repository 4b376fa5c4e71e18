"""Starting: `qiantang up` until it answers, and an application's start from its copy on disk while no server is there."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Generator
from typing import Any

from bench import machine
from bench.children import Child
from bench.config import stage
from bench.figures import Value, quantile, rounded
from tests.servers import ports
from tests.servers.platform import Platform

STARTS = 5
LAST_GOOD_STARTS = 15
DEADLINE = 60.0
LOOK_SECONDS = 0.005
REST_SECONDS = 3.0


def measure_up() -> dict[str, Value]:
    """Start the control plane in an empty folder, and once more over what is there; the median of several."""
    firsts: list[float] = []
    agains: list[float] = []
    resident: list[float] = []
    for _ in range(STARTS):
        platform = Platform()
        try:
            firsts.append(_up(platform))
            time.sleep(REST_SECONDS)
            resident.append(machine.resident_kb(platform.pid) / 1024)
            platform.stop()
            agains.append(_up(platform))
        finally:
            platform.close()
    return {
        "up_s": rounded(quantile(firsts, 0.5)),
        "up_rss_mb": rounded(quantile(resident, 0.5)),
        "up_again_s": rounded(quantile(agains, 0.5)),
    }


def _up(platform: Platform) -> float:
    """Start it; give the seconds until it says that it is ready to serve."""
    began = time.monotonic()
    platform.launch()
    while time.monotonic() - began < DEADLINE:
        if not platform.running:
            raise RuntimeError(f"it ended: {platform.log_tail(5)}")
        with contextlib.suppress(OSError, http.client.HTTPException), _line(platform.port) as line:
            line.request("GET", "/readyz")
            if line.getresponse().status == 200:
                return time.monotonic() - began
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"no answer within {DEADLINE:g} s: {platform.log_tail(5)}")


@contextlib.contextmanager
def _line(port: int) -> Generator[http.client.HTTPConnection]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        yield line
    finally:
        line.close()


def measure_last_good() -> dict[str, Value]:
    """Have an application keep its copy, end the server, and start the application in fresh processes."""
    with stage.platform() as (platform, api):
        application = stage.make(api, 1)[0]
        options: dict[str, Any] = {
            **application.options(),
            "servers": [platform.address],
            "folder": str(platform.folder / "client"),
            "instance": "bench",
        }
        _start(options, "center")
        platform.stop()
        options["servers"] = [f"http://127.0.0.1:{ports.take()}"]  # nobody listens there
        starts = [_start(options, "disk") for _ in range(LAST_GOOD_STARTS)]
    return {
        "start_lastgood_ms": rounded(quantile([one["open_ms"] for one in starts], 0.5)),
        "start_lastgood_max_ms": rounded(max(one["open_ms"] for one in starts)),
        "start_lastgood_process_ms": rounded(quantile([one["process_ms"] for one in starts], 0.5)),
    }


def _start(options: dict[str, Any], source: str) -> dict[str, Any]:
    began = time.monotonic_ns()
    with Child("bench.config.starter") as child:
        child.order(options)
        found = child.answer(DEADLINE)
    if found["source"] != source or found["number"] != 0:
        raise RuntimeError(f"started from {found['source']} with {found['number']}, not from {source} with 0")
    return {**found, "process_ms": (found["read_at"] - began) / 1e6}
