"""Calls between services, by their Python types.

Names are imported at first use: a file that only says what a service is costs nobody the client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiantang.rpc.client.blocking import BlockingCaller as BlockingCaller
    from qiantang.rpc.client.calling import Caller as Caller
    from qiantang.rpc.errors import ServiceError as ServiceError
    from qiantang.rpc.model.context import current as current
    from qiantang.rpc.model.definition import method as method
    from qiantang.rpc.model.definition import service as service
    from qiantang.rpc.provider.serving import Provider as Provider

_HOMES = {
    "BlockingCaller": "qiantang.rpc.client.blocking",
    "Caller": "qiantang.rpc.client.calling",
    "Provider": "qiantang.rpc.provider.serving",
    "ServiceError": "qiantang.rpc.errors",
    "current": "qiantang.rpc.model.context",
    "method": "qiantang.rpc.model.definition",
    "service": "qiantang.rpc.model.definition",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value
