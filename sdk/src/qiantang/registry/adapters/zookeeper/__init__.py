"""ZooKeeper's adapter of the registry. Needs the extra `zookeeper`."""

from qiantang.registry.adapters.zookeeper.registry import ZooKeeperRegistry as ZooKeeperRegistry
from qiantang.registry.adapters.zookeeper.registry import make as make
