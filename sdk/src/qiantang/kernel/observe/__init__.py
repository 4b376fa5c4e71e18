"""Observe: what the platform says about itself. Bounded failure logs, cheap meters, log lines with fields."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from qiantang.kernel.observe.bounded import BoundedLog as BoundedLog

if TYPE_CHECKING:
    from qiantang.kernel.observe.lines import HumanFormatter as HumanFormatter
    from qiantang.kernel.observe.lines import JsonFormatter as JsonFormatter
    from qiantang.kernel.observe.lines import log_to as log_to
    from qiantang.kernel.observe.meter import METER as METER
    from qiantang.kernel.observe.meter import Counter as Counter
    from qiantang.kernel.observe.meter import Gauge as Gauge
    from qiantang.kernel.observe.meter import Histogram as Histogram
    from qiantang.kernel.observe.meter import Meter as Meter
    from qiantang.kernel.observe.meter import Series as Series

_HOMES = {
    **dict.fromkeys(("HumanFormatter", "JsonFormatter", "log_to"), "lines"),
    **dict.fromkeys(("METER", "Counter", "Gauge", "Histogram", "Meter", "Series"), "meter"),
}
"""What only processes of the platform use: an application that imports the sdk does not pay for it."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
