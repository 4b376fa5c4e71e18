"""Catalog: the table of contents of the control plane, in the order of the floors."""

from __future__ import annotations

from collections.abc import Sequence

from qiantang_server.catalog.capability import CATALOG
from qiantang_server.config.capability import CONFIG
from qiantang_server.identity.capability import IDENTITY
from qiantang_server.kernel.capability import Capability
from qiantang_server.messaging.capability import MESSAGING
from qiantang_server.registry.capability import REGISTRY
from qiantang_server.rpc.capability import RPC

CAPABILITIES: Sequence[Capability] = (IDENTITY, CONFIG, REGISTRY, MESSAGING, RPC, CATALOG)
