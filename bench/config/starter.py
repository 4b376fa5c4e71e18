"""Starter: a child process that opens one App, reads one bound setting, and says how long that took and where it came from."""

from __future__ import annotations

import json
import sys
import time

import msgspec

import qiantang
from bench.children import answer


class Settings(msgspec.Struct):
    """What is bound."""

    number: int = -1


def _run(options: dict[str, object]) -> None:
    app = qiantang.sync.App(**options)  # type: ignore[arg-type]
    settings = app.config.bind(Settings)
    began = time.monotonic_ns()
    app.open()
    number = settings.number
    read_at = time.monotonic_ns()
    source = app.status().source
    time.sleep(0.3 if source == "center" else 0)  # the copy is written after the start
    app.close()
    answer({"open_ms": (read_at - began) / 1e6, "read_at": read_at, "source": source, "number": number})


if __name__ == "__main__":
    _run(json.loads(sys.stdin.readline()))
