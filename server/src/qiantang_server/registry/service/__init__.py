"""Service: sessions, nodes, what is followed, and what people change."""

from qiantang_server.registry.service.registry import Registry as Registry
