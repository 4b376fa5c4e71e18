"""Service: what the configuration center does beyond the life that all resources share."""

from qiantang_server.config.service.effective import EffectiveSettings as EffectiveSettings
from qiantang_server.config.service.exchange import Exchange as Exchange
from qiantang_server.config.service.search import Search as Search
