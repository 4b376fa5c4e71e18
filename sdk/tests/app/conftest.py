"""A control plane in the test's process, and the options of an App that belongs to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qiantang.kernel.testing import FakeControlPlane


class Plane(FakeControlPlane):
    """A control plane that publishes configuration."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self.folder = folder

    def release(self, values: dict[str, Any], **more: dict[str, Any]) -> None:
        """Publish the namespace `application`, and others by name."""
        contents = {"application": values, **more}
        self.publish(
            self.bundle("config"),
            {name: {"format": "properties", "data": data} for name, data in contents.items()},
        )

    def options(self, **more: Any) -> dict[str, Any]:
        """Give an App's arguments."""
        return {
            "servers": [self.address],
            "tenant": self.scope.tenant,
            "environment": self.scope.environment,
            "center": self.scope.center,
            "application": self.scope.application,
            "credential": self.credential_id,
            "secret": self.secret,
            "folder": self.folder,
            "start_deadline": 5.0,
        } | more

    def said(self, status: str, revision: int) -> bool:
        """Say whether the newest word of the configuration is of that status and revision."""
        held = [one for one in self.acknowledged if one.bundle.capability == "config"]
        return bool(held) and (held[-1].status, held[-1].position.revision) == (status, revision)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("QIANTANG_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    with Plane(tmp_path / "copies", heartbeat_seconds=0.5) as one:
        yield one
