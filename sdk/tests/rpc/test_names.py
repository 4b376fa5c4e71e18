"""What a program imports of `qiantang.rpc`: names at first use, and nothing else for who says what a service is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qiantang import rpc


def test_every_name_is_there() -> None:
    assert {name: getattr(rpc, name) for name in rpc._HOMES}
    with pytest.raises(AttributeError):
        _ = rpc.Nothing  # type: ignore[attr-defined]


def test_a_definition_alone_costs_nobody_the_client() -> None:
    program = "import sys; from qiantang.rpc import method, service; print([one for one in sys.modules if 'rpc.client' in one])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
