"""Tokens: the written form of a personal access token, which scanners find and typing errors do not pass."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

PREFIX = "qt_pat_"
_form = re.compile(r"qt_pat_([0-9a-f]{16})_([0-9a-f]{64})_([0-9a-f]{8})")


def new_id() -> str:
    """Give the public part of a new token."""
    return secrets.token_hex(8)


def write(token_id: str, secret: str) -> str:
    """Give the whole token."""
    body = f"{PREFIX}{token_id}_{secret}"
    return f"{body}_{zlib.crc32(body.encode()):08x}"


def read(text: str) -> tuple[str, str] | None:
    """Give id and secret; None for what was never a token of ours, which is known without asking anybody."""
    parts = _form.fullmatch(text)
    if parts is None or zlib.crc32(text.rpartition("_")[0].encode()) != int(parts[3], 16):
        return None
    return parts[1], parts[2]


def digest(secret: str) -> str:
    """Give what is stored of a random secret: it needs no salt and no slow hash, having 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
