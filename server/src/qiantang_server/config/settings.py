"""Settings of the configuration center: how large things may be."""

from __future__ import annotations

from typing import Annotated

import msgspec


class ConfigSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of the configuration center."""

    import_bytes: Annotated[
        int, msgspec.Meta(description="largest file that one import takes in, in bytes", ge=1 << 12)
    ] = 8 << 20
