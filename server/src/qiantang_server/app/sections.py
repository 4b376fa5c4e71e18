"""Sections: every setting of the control plane by section, and the sections of others that it passes over."""

from __future__ import annotations

import msgspec

from qiantang_server.app.catalog import CAPABILITIES
from qiantang_server.app.settings import ServerSettings
from qiantang_server.kernel import adapters
from qiantang_server.kernel.cache import CacheSettings
from qiantang_server.kernel.coordination import CoordinationSettings
from qiantang_server.kernel.sealing import SealingSettings
from qiantang_server.kernel.storage import StorageSettings
from qiantang_server.kernel.watch import WatchSettings
from qiantang_server.kernel.web import WebSettings

OF_OTHERS = ("client", "cli", "test")


def sections() -> dict[str, type[msgspec.Struct]]:
    """Give each section's name and shape."""
    kernel: dict[str, type[msgspec.Struct]] = {
        "server": ServerSettings,
        "web": WebSettings,
        "storage": StorageSettings,
        "coordination": CoordinationSettings,
        "cache": CacheSettings,
        "sealing": SealingSettings,
        "watch": WatchSettings,
    }
    rooms = {one.name: one.settings for one in CAPABILITIES if one.settings is not None}
    own = {**kernel, **rooms}
    return {**own, **adapters.brought_sections(own)}
