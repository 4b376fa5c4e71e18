"""Hook of the wheel: builds the pages into the package. A wheel made from an sdist finds them built and needs no Node."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pages(BuildHookInterface):  # type: ignore[type-arg]  # hatchling leaves it open
    """Builds what is missing."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless this is the editable install of a checkout, where `make` does, or it was built before."""
        root = Path(self.root)
        if version == "editable" or (not (root / "web").is_dir() and (root / "src/qiantang_portal/static").is_dir()):
            return
        spec = importlib.util.spec_from_file_location("build_pages", root / "build_pages.py")
        assert spec is not None and spec.loader is not None  # noqa: S101  # it is in the sdist
        build_pages = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build_pages)
        build_pages.build()
