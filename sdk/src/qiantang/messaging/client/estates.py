"""Estates: an estate in a file of TOML, for programs that have no control plane and for the first steps.

[[clusters]]
name = "main"
adapter = "memory"
resources = [{ name = "one", url = "memory://shop" }]

[[topics]]
name = "order.created"
clusters = ["main"]

[[subscriptions]]
group = "billing"
topic = "order.created"
order = "key"
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import msgspec

from qiantang.kernel import errors, wire
from qiantang.messaging.model import Estate

MAX_FILE_BYTES: Final = 1 << 20


def read(file: Path | str) -> Estate:
    """Read an estate.

    Raises:
        MisconfiguredError: the file cannot be read, is no TOML, or says something that an estate has not; the detail names
            the place.
    """
    path = Path(file)
    try:
        with path.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise errors.MisconfiguredError(
            f"the estate of messaging cannot be read from {path}: {error.strerror}"
        ) from error
    if len(text) > MAX_FILE_BYTES:
        raise errors.MisconfiguredError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    wire.learn(Estate)
    try:
        return msgspec.convert(tomllib.loads(text.decode()), Estate)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.MisconfiguredError(f"{path} is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise errors.MisconfiguredError(f"{path} is no estate of messaging: {error}") from error
