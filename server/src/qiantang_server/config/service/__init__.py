"""Service: what the configuration center does beyond the life that all resources share."""

from qiantang_server.config.service.configuration import Configuration as Configuration
