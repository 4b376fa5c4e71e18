"""Settings of the sealing."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qiantang.kernel.settings import Secret


class SealingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The master keys that protect secrets at rest."""

    keys: Annotated[
        Secret,
        msgspec.Meta(
            description="master keys as id:key with commas between, each key 32 bytes in base64, the first one current; "
            "empty: the file keyring.json in the data folder, made at the first start"
        ),
    ] = Secret("")
