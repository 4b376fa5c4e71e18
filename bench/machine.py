"""Machine: what a figure was measured on, and how busy that was."""

from __future__ import annotations

import os
import platform
import timeit
from pathlib import Path


def description() -> str:
    """Give processor, cores, memory, system and Python in one line."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    system = f"{platform.system()} {platform.release()}"
    return f"{_processor()}, {cores} cores, {memory:.0f} GB, {system}, Python {platform.python_version()}"


def step_ns() -> float:
    """Give the nanoseconds of one step of an empty loop, best of five: how fast this machine is just now, for comparing runs."""
    steps = 1_000_000
    return min(timeit.repeat("pass", number=steps, repeat=5)) / steps * 1e9


def load() -> float:
    """Give how many processes wanted a core in the last minute."""
    return os.getloadavg()[0]


def resident_kb(pid: int, name: str = "VmRSS") -> int:
    """Give the resident memory of a process in KiB, or with VmHWM the most it ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {pid} has no {name}")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
