"""Nouns of the registry, what a process and the control plane say to each other of them, and what people are shown."""

from qiantang.registry.model.nodes import SERVICE as SERVICE
from qiantang.registry.model.nodes import Change as Change
from qiantang.registry.model.nodes import Condition as Condition
from qiantang.registry.model.nodes import Definition as Definition
from qiantang.registry.model.nodes import Node as Node
from qiantang.registry.model.nodes import Provided as Provided
from qiantang.registry.model.nodes import ServiceName as ServiceName
from qiantang.registry.model.nodes import Snapshot as Snapshot
from qiantang.registry.model.nodes import State as State
from qiantang.registry.model.nodes import Vote as Vote
from qiantang.registry.model.nodes import Word as Word
from qiantang.registry.model.nodes import digest as digest
