"""Configuration: typed, live settings that the control plane delivers to applications.

Names are imported at first use: the nouns on the wire do not cost the client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiantang.config.client import Change as Change
    from qiantang.config.client import ConfigClient as ConfigClient
    from qiantang.config.client import Event as Event
    from qiantang.config.client import Failure as Failure
    from qiantang.config.client import Listener as Listener
    from qiantang.config.client import LiveResource as LiveResource
    from qiantang.config.client import MismatchError as MismatchError
    from qiantang.config.client import NotBuiltError as NotBuiltError
    from qiantang.config.client import NotOpenError as NotOpenError
    from qiantang.config.client import Pinned as Pinned
    from qiantang.config.client import Subscription as Subscription
    from qiantang.config.model.tree import MISSING as MISSING

__all__ = [
    "MISSING",
    "Change",
    "ConfigClient",
    "Event",
    "Failure",
    "Listener",
    "LiveResource",
    "MismatchError",
    "NotBuiltError",
    "NotOpenError",
    "Pinned",
    "Subscription",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "qiantang.config.model.tree" if name == "MISSING" else "qiantang.config.client"
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value
