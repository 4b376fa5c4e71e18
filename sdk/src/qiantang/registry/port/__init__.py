"""Port: the contract of a registry, the bounds of what it takes, and the board that adapters fill."""

from qiantang.registry.port.board import Board as Board
from qiantang.registry.port.bounds import MAX_DEFINITION_BYTES as MAX_DEFINITION_BYTES
from qiantang.registry.port.bounds import MAX_NODE_BYTES as MAX_NODE_BYTES
from qiantang.registry.port.bounds import MAX_NODES as MAX_NODES
from qiantang.registry.port.bounds import MAX_SERVICES as MAX_SERVICES
from qiantang.registry.port.bounds import MAX_VOTES as MAX_VOTES
from qiantang.registry.port.contract import Registry as Registry
