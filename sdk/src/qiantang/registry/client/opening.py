"""Opening: a registry out of its settings, and the directories of its microservices."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from qiantang.kernel import plugins
from qiantang.registry.client.copies import Copies
from qiantang.registry.client.directory import Directory
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings


def registry_of(settings: RegistrySettings) -> Registry:
    """Make the registry that the settings name; enter it to use it.

    Raises:
        MisconfiguredError: no adapter has that name, or the settings cannot work.
        MissingExtraError: its driver is not installed.
    """
    return cast("Registry", plugins.load(plugins.adapters("registry"), settings.adapter)(settings))


def directory_of(registry: Registry, microservice: str, settings: RegistrySettings) -> Directory:
    """Make the directory of a microservice; enter it to use it."""
    return Directory(
        registry,
        microservice,
        copies=Copies(Path(settings.copies), settings.tenant, microservice) if settings.copies else None,
        keep=settings.suspected_for.total_seconds(),
        open_within=settings.operation_timeout.total_seconds(),
    )
