"""Configuration, opened: its use cases as one object."""

from __future__ import annotations

from qiantang_server.config.service.effective import EffectiveSettings
from qiantang_server.config.service.exchange import Exchange
from qiantang_server.config.service.search import Search
from qiantang_server.config.settings import ConfigSettings
from qiantang_server.kernel.resources import Resources
from qiantang_server.kernel.watch import Watch


class Configuration:
    """What an instance sees and why; search; import and export."""

    def __init__(self, resources: Resources, watch: Watch, settings: ConfigSettings) -> None:
        self.settings = settings
        self.effective = EffectiveSettings(watch, resources.parts.database)
        self.search = Search(resources)
        self.exchange = Exchange(resources, settings)
