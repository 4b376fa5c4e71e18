"""Registry: who provides which service, where, and in what state.

Names are imported at first use: the nouns cost nobody the client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiantang.registry.client import Directory as Directory
    from qiantang.registry.client import Registration as Registration
    from qiantang.registry.client import directory_of as directory_of
    from qiantang.registry.client import registry_of as registry_of
    from qiantang.registry.model import Change as Change
    from qiantang.registry.model import Definition as Definition
    from qiantang.registry.model import Node as Node
    from qiantang.registry.model import Provided as Provided
    from qiantang.registry.model import Snapshot as Snapshot
    from qiantang.registry.model import Vote as Vote
    from qiantang.registry.settings import RegistrySettings as RegistrySettings

_HOMES = {
    **dict.fromkeys(("Directory", "Registration", "directory_of", "registry_of"), "qiantang.registry.client"),
    **dict.fromkeys(("Change", "Definition", "Node", "Provided", "Snapshot", "Vote"), "qiantang.registry.model"),
    "RegistrySettings": "qiantang.registry.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value
