"""Processes: applications as child processes of a test, and clocks that are off."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from tests.servers.process import Process
from tests.servers.product import eventually

_HERE = Path(__file__).parent


def clock_off_by(seconds: int) -> dict[str, str]:
    """Give the environment of a Python process whose wall clock is off."""
    return {"PYTHONPATH": str(_HERE / "shifted"), "QIANTANG_TEST_CLOCK_SHIFT": str(seconds)}


class Instance(Process):
    """An application in a process of its own; `said` are the lines it wrote of itself."""

    name: ClassVar[str] = "instance"

    def __init__(self, options: dict[str, Any], variables: dict[str, str] | None = None) -> None:
        super().__init__()
        self.variables = {
            "QIANTANG_TEST_INSTANCE": json.dumps(options),
            # under a limit on files, Python leaves a cut cache of a module behind and then cannot import it
            "PYTHONDONTWRITEBYTECODE": "1",
            **(variables or {}),
        }

    @staticmethod
    def missing() -> list[str]:
        return []

    def prepare(self) -> None:
        """Write nothing."""

    def argv(self) -> list[str]:
        return [sys.executable, str(_HERE / "instance.py")]

    def probe(self) -> None:
        if not self.said:
            raise ConnectionError("it said nothing yet")

    @property
    def said(self) -> list[dict[str, Any]]:
        """What it told of itself, oldest first."""
        lines = self.log_file.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait(self, number: int) -> dict[str, Any]:
        """Wait until this number is in use; give what it said then."""
        return eventually(lambda: said if (said := self.said[-1])["number"] == number else None, self.log_tail())
