"""Instance: an application in a process of its own, which tells what it holds, a line of JSON for each change.

Run with the App's options as JSON in QIANTANG_TEST_INSTANCE; there `file_limit` bounds every file that it writes, in bytes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

import msgspec

import qiantang


class Settings(msgspec.Struct):
    """What it binds."""

    number: int = -1


def main() -> None:
    """Follow the configuration until killed."""
    options = json.loads(os.environ["QIANTANG_TEST_INSTANCE"])
    limit = options.pop("file_limit", 0)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    app = qiantang.sync.App(**options)
    settings = app.config.bind(Settings)
    told = ""
    with app:
        while True:
            status = app.status()
            said = {
                "number": settings.number,
                "positions": status.positions,
                "connected": status.connected,
                "well": status.well,
                "source": status.source,
                "problem": status.problem,
            }
            if json.dumps(said) != told:
                told = json.dumps(said)
                sys.stdout.write(json.dumps({**said, "clock": time.time()}) + "\n")
                sys.stdout.flush()
            time.sleep(0.02)


if __name__ == "__main__":
    main()
