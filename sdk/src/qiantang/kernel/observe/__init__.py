"""Observe: what the platform says about itself. Bounded failure logs, cheap meters, log lines with fields."""

from __future__ import annotations

from qiantang.kernel.observe.bounded import BoundedLog as BoundedLog
from qiantang.kernel.observe.lines import HumanFormatter as HumanFormatter
from qiantang.kernel.observe.lines import JsonFormatter as JsonFormatter
from qiantang.kernel.observe.lines import log_to as log_to
from qiantang.kernel.observe.meter import METER as METER
from qiantang.kernel.observe.meter import Counter as Counter
from qiantang.kernel.observe.meter import Gauge as Gauge
from qiantang.kernel.observe.meter import Histogram as Histogram
from qiantang.kernel.observe.meter import Meter as Meter
from qiantang.kernel.observe.meter import Series as Series
