"""qiantang for applications.

    import qiantang

    with qiantang.sync.App() as app:  # or: async with qiantang.App() as app
        settings = app.config.bind(Settings)

Names are imported at first use, so that a program pays only for what it uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiantang import config as config
    from qiantang import messaging as messaging
    from qiantang import sync as sync
    from qiantang.app import App as App
    from qiantang.config import LiveResource as LiveResource
    from qiantang.kernel import errors as errors

__all__ = ["App", "LiveResource", "config", "errors", "messaging", "sync"]

_HOMES = {
    "App": ("qiantang.app", "App"),
    "LiveResource": ("qiantang.config", "LiveResource"),
    "config": ("qiantang.config", ""),
    "errors": ("qiantang.kernel.errors", ""),
    "messaging": ("qiantang.messaging", ""),
    "sync": ("qiantang.sync", ""),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    found = importlib.import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
