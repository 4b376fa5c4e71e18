"""The one codec: a type is learned by one thread at a time, or msgspec ends the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qiantang.kernel import errors, wire

MANY_THREADS = '''
from __future__ import annotations
import sys, threading, types
from qiantang.kernel import wire

SOURCE = """
from __future__ import annotations
from typing import Annotated
import msgspec
class Inner(msgspec.Struct, frozen=True):
    a: Annotated[int, msgspec.Meta(ge=0)] = 0
    b: dict[str, list[int]] = {}
class Outer(msgspec.Struct):
    inner: Inner = Inner()
    many: list[Inner] = []
"""
VALUE = {"inner": {"a": 1, "b": {"x": [1]}}, "many": [{"a": 2}]}
sys.setswitchinterval(1e-6)
for number in range(40):
    module = sys.modules[f"made{number}"] = types.ModuleType(f"made{number}")
    exec(SOURCE, module.__dict__)
    gate = threading.Barrier(8)

    def read(which):
        gate.wait()
        if which % 2:
            wire.convert(VALUE, module.Outer)
        else:
            wire.decode(wire.encode(VALUE), module.Outer)

    threads = [threading.Thread(target=read, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("well")
'''


def test_threads_that_read_the_first_values_of_a_type_together_do_not_end_the_process() -> None:
    """Of msgspec alone this program ends with SIGSEGV, each time."""
    said = subprocess.run(
        [sys.executable, "-c", MANY_THREADS], capture_output=True, text=True, timeout=120, check=False
    )
    assert (said.returncode, said.stdout) == (0, "well\n"), said.stderr[-2000:]


def test_what_is_no_value_of_a_type_is_told_with_its_name() -> None:
    with pytest.raises(errors.InvalidRequestError, match="not a valid int"):
        wire.convert("x", int)
    with pytest.raises(errors.InvalidRequestError, match="not a valid int"):
        wire.decode(b"[]", int)
