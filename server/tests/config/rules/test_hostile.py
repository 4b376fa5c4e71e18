"""Bombs are refused in bounded memory: a child process with little of it reads every one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHILD = """
import resource
from hostile import hostile
from qiantang.kernel import errors
from qiantang_server.config.rules import documents
from qiantang_server.config.rules.limits import DEFAULT

with open("/proc/self/statm") as statm:
    now = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (192 << 20), now + (192 << 20)))
refused = read = 0
for kind, name, text in hostile():
    try:
        documents.parse(kind, text, DEFAULT)
        read += 1
    except errors.InvalidRequestError as error:
        assert error.problems, (kind, name)
        refused += 1
    except BaseException as error:
        raise AssertionError(f"{kind}, {name}: {type(error).__name__}") from error
print(refused, read)
"""


def run_child(code: str) -> str:
    """Run code in a process of its own that finds what lies beside this file."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_bomb_is_refused_within_192_megabytes():
    refused, read = map(int, run_child(CHILD).split())
    assert refused >= 60
    assert read >= 15
