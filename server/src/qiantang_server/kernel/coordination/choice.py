"""Choice of the coordination: the adapter that the settings name, else ZooKeeper where its hosts are set, else the database."""

from __future__ import annotations

from qiantang_server.kernel import adapters
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings

EMBEDDED = "database"


def choose(context: adapters.Context) -> Coordination:
    """Give the coordination that the settings ask for, not open yet; raises as `adapters.make`."""
    coordination: Coordination = adapters.make("coordination", name(context), context)
    return coordination


def name(context: adapters.Context) -> str:
    """Name the adapter that the settings ask for."""
    settings = context.section("coordination", CoordinationSettings)
    return settings.adapter or ("zookeeper" if settings.zookeeper else EMBEDDED)
