"""Paths: where in ZooKeeper's tree the things of one tenant are. Names are checked before they come here.

ROOT/<tenant>/<microservice>/clusters/<cluster>/normal/<node>                        ephemeral
ROOT/<tenant>/<microservice>/services/<service>
ROOT/<tenant>/<microservice>/governance/breakers/<service>~<node>~<voter>            ephemeral
"""

from __future__ import annotations

from qiantang.registry.model import Node, Vote


class Paths:
    """The paths of one tenant."""

    def __init__(self, root: str, tenant: str) -> None:
        self._top = f"{root}/{tenant}"

    def clusters(self, microservice: str) -> str:
        """Whose children are the clusters."""
        return f"{self._top}/{microservice}/clusters"

    def nodes(self, microservice: str, cluster: str) -> str:
        """Whose children are the nodes of a cluster."""
        return f"{self.clusters(microservice)}/{cluster}/normal"

    def node(self, microservice: str, node: Node) -> str:
        """Where a node is."""
        return f"{self.nodes(microservice, node.cluster)}/{node.name}"

    def services(self, microservice: str) -> str:
        """Whose children are the definitions."""
        return f"{self._top}/{microservice}/services"

    def breakers(self, microservice: str) -> str:
        """Whose children are the votes."""
        return f"{self._top}/{microservice}/governance/breakers"

    def vote(self, microservice: str, vote: Vote) -> str:
        """Where a vote is; no name has a tilde."""
        return f"{self.breakers(microservice)}/{vote.service}~{vote.node}~{vote.voter}"
