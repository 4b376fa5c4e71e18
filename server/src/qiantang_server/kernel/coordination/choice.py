"""Choice of the coordination: ZooKeeper where its hosts are set, else the database."""

from __future__ import annotations

from qiantang_server.kernel import storage
from qiantang_server.kernel.coordination.adapters.database import DatabaseCoordination
from qiantang_server.kernel.coordination.adapters.zookeeper import ZooKeeperCoordination
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings


def choose(settings: CoordinationSettings, database: storage.Database) -> Coordination:
    """Give the coordination that the settings ask for, not open yet.

    Raises:
        MissingExtraError: its driver is not installed.
        MisconfiguredError: its settings contradict each other.
    """
    if settings.zookeeper:
        return ZooKeeperCoordination(settings)
    return DatabaseCoordination(database, settings)
