"""Host: one process of the demo: runs the instances of one service until its standard input ends, or a signal says so.

A line of JSON on standard input says which program and which instances; the end of it, that the platform is gone.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

import qiantang
from qiantang.kernel import observe, runtime

ESTATE = Path(__file__).parent / "estate"
END_SECONDS = 1.5
STDIN = 0


class Instance(msgspec.Struct):
    """One instance: the options of its App. `hears_all`: callbacks are told of what it starts with as well."""

    options: dict[str, Any]
    hears_all: bool = False


class Told(msgspec.Struct):
    """What the process is told."""

    program: str
    instances: list[Instance]


def main() -> int:
    """Run until told to end; the exit code is 1 where an instance could not go on."""
    stop, failed = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        stop.set()

    first = read_line()
    if not first:
        return 0
    signal.signal(signal.SIGTERM, end)  # before, it ends at once and without a word, as it was born
    told = msgspec.json.decode(first, type=Told)
    _log_lines()
    program = load(told.program)
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    threads = [threading.Thread(target=_run, args=(program, one, stop, failed), daemon=True) for one in told.instances]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(END_SECONDS)
    return 1 if failed.is_set() else 0


def read_line() -> bytes:
    """Read the first line of standard input, unbuffered; nothing where it ends before."""
    found = bytearray()
    while chunk := os.read(STDIN, 65536):
        found += chunk
        if chunk.endswith(b"\n"):
            return bytes(found)
    return b""


def load(name: str) -> ModuleType:
    """Load a program of the estate by its file, as `python estate/order.py` would."""
    sys.path.insert(0, str(ESTATE))
    spec = importlib.util.spec_from_file_location(name, ESTATE / f"{name}.py")
    assert spec is not None and spec.loader is not None  # noqa: S101  # it is a file with the ending of a module
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(program: ModuleType, instance: Instance, stop: threading.Event, failed: threading.Event) -> None:
    try:
        app = qiantang.sync.App(**instance.options)
        if instance.hears_all:
            # as if it had started from its declared defaults, so that what is published comes as a change
            runtime.call(app.config.take({}))
        program.run(app, stop)
    except Exception as error:
        if not stop.is_set():
            logging.getLogger(str(instance.options.get("instance"))).error("cannot go on: %s", error)  # noqa: TRY400
            failed.set()
            stop.set()


def _watch(stop: threading.Event) -> None:
    """Ask to stop when standard input ends: the platform is gone, however it went."""
    while os.read(STDIN, 4096):
        pass
    stop.set()


def _log_lines() -> None:
    """Have the programs' lines as they write them, and those of the sdk as a server's."""
    logging.basicConfig(format="%(name)s | %(message)s", level=logging.INFO, stream=sys.stdout)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(observe.HumanFormatter())
    handler.addFilter(_untraced)
    sdk = logging.getLogger("qiantang")
    sdk.addHandler(handler)
    sdk.setLevel(logging.ERROR)
    sdk.propagate = False


def _untraced(record: logging.LogRecord) -> bool:
    """Leave the trace of a callback that failed to the portal: here the reason is enough."""
    vars(record).pop("trace", None)
    return True


if __name__ == "__main__":
    sys.exit(main())
