"""Showing: `qiantang up --demo`, once built, until a browser shows the first page, and what the whole demo holds in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import machine
from bench.figures import Value, quantile, rounded
from tests.pages.browser import Person, chromium
from tests.servers import ports

STARTS = 3
REST_SECONDS = 20.0


def measure() -> dict[str, Value]:
    """Start it several times over the same folder; the first start makes the demo and is told apart."""
    took: list[float] = []
    resident = 0.0
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for number in range(STARTS + 1):
            began = time.monotonic()
            process, said = _up(Path(folder))
            try:
                person = Person.at(browser, said["address"])
                person.page.goto(said["link"], wait_until="commit")
                person.page.wait_for_selector("h1")
                took.append(time.monotonic() - began)
                person.close()
                if number == STARTS:
                    time.sleep(REST_SECONDS)
                    resident = sum(machine.resident_kb(pid) for pid in family(process.pid)) / 1024
            finally:
                process.terminate()
                process.wait(timeout=30)
    return {
        "up_to_page_s": rounded(quantile(took[1:], 0.5)),
        "up_to_page_first_s": rounded(took[0]),
        "estate_rss_mb": rounded(resident),
    }


def _up(folder: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    command = [str(Path(sys.executable).parent / "qiantang"), "up", "--demo", "--json", "--folder", str(folder)]
    process = subprocess.Popen([*command, "--port", str(ports.take())], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def family(pid: int) -> list[int]:
    """Give a process and all that descend from it."""
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += family(int(child))
    return found
