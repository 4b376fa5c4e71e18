"""ZooKeeper's adapter of the coordination port. Needs the extra `zookeeper`."""

from qiantang_server.kernel.coordination.adapters.zookeeper.adapter import (
    ZooKeeperCoordination as ZooKeeperCoordination,
)
from qiantang_server.kernel.coordination.adapters.zookeeper.adapter import make as make
