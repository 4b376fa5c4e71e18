"""Puts a process's wall clock off by QIANTANG_TEST_CLOCK_SHIFT seconds: Python imports this first when it is in PYTHONPATH."""

import os
import time

_shift = int(os.environ.get("QIANTANG_TEST_CLOCK_SHIFT", "0"))
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _shift
time.time_ns = lambda: _time_ns() + _shift * 1_000_000_000
