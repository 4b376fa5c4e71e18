"""Coordination: what several servers agree on. Leases with fencing, announced positions, who is there."""

from qiantang_server.kernel.coordination.port import Condition as Condition
from qiantang_server.kernel.coordination.port import Coordination as Coordination
from qiantang_server.kernel.coordination.port import Lease as Lease
from qiantang_server.kernel.coordination.settings import CoordinationSettings as CoordinationSettings
