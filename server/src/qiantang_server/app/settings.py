"""Settings of the process as a whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec


def default_folder() -> Path:
    """Give the data folder of a user who named none: XDG's, else below the home folder."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "qiantang"


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The control plane's process."""

    folder: Annotated[
        Path | None,
        msgspec.Meta(description="data folder: keys, the embedded database; empty: ~/.local/share/qiantang"),
    ] = None
    node: Annotated[
        str, msgspec.Meta(description="name of this server among its equals; made of host and port if empty")
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], msgspec.Meta(description="least level of log lines to write")
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], msgspec.Meta(description="log lines for people (text) or for machines (json)")
    ] = "text"
    revisions_kept: Annotated[
        int, msgspec.Meta(description="newest revisions of an application that are kept, whatever their age", ge=1)
    ] = 500
    revisions_kept_days: Annotated[
        int, msgspec.Meta(description="days for which every revision and every decided request is kept", ge=1)
    ] = 180
    instances_kept_days: Annotated[
        int, msgspec.Meta(description="days after which an instance that never came back is forgotten", ge=1)
    ] = 7
