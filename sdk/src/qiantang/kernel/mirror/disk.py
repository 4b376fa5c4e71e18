"""Disk: the encrypted last good copy of a mirror, for a start while the control plane is away.

A file is `magic | format | salt (16) | nonce (12) | AES-256-GCM(zlib(JSON))`. The key is made by HKDF-SHA256
(RFC 5869) from the credential's secret and the file's own salt; the scope and the format are bound in as
associated data, so that a copy of another application, of another secret, or altered in any bit is refused.
Three generations are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import time
import zlib
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qiantang.kernel import errors, files, resource, scope, wire

logger = logging.getLogger(__name__)

MAGIC = b"QTCOPY"
FORMAT = 1
SALT_BYTES = 16
NONCE_BYTES = 12
HEAD_BYTES = len(MAGIC) + 1 + SALT_BYTES + NONCE_BYTES
MAX_FILE_BYTES = 128 * 1024 * 1024
MAX_CONTENT_BYTES = 512 * 1024 * 1024
GENERATIONS = 3
ABANDONED_SECONDS = 3600.0


class RefusedCopyError(Exception):
    """A copy that must not be used; the message says why."""


class Copy(msgspec.Struct, frozen=True):
    """What a file holds: the snapshots of one view, and when it was in use (seconds since 1970)."""

    saved_at: float
    snapshots: list[resource.Snapshot]


class LastGoodCopy:
    """The copies of one application in a folder, for one secret. Blocking: call it off the loop.

    `save` and `forget` never raise for what a disk may do: the running client does not depend on it.
    Processes of the same application share the folder; each file is whole or not there.
    """

    def __init__(self, folder: Path, application: scope.Scope, secret: str) -> None:
        self._folder = folder
        self._scope = application
        self._secret = secret.encode()
        place = hashlib.sha256(str(application).encode()).hexdigest()[:12]
        self._prefix = f"{application.application}-{place}-"
        self._refused: set[str] = set()
        self._saying = True

    def __repr__(self) -> str:
        """Never show the secret."""
        return f"LastGoodCopy({str(self._folder)!r}, {self._scope})"

    def load(self) -> Copy | None:
        """Give the newest copy that can be trusted, or None; each that cannot is logged with the reason."""
        for file in self._files():
            try:
                return self._open(file)
            except (RefusedCopyError, OSError) as error:
                self._refused.add(file.name)
                logger.warning("a last good copy is not used", extra={"file": str(file), "reason": str(error)})
        return None

    def save(self, snapshots: list[resource.Snapshot], now: float) -> bool:
        """Keep a view; say whether it is on disk. What is there already is not written again."""
        try:
            self._save(snapshots, now)
        except OSError as error:
            if self._saying:
                logger.warning(
                    "cannot keep the last good copy: a start without the control plane would have none",
                    extra={"folder": str(self._folder), "error": str(error)},
                )
            self._saying = False
            return False
        if not self._saying:
            logger.info("the last good copy is kept again", extra={"folder": str(self._folder)})
        self._saying = True
        return True

    def forget(self) -> None:
        """Remove all copies."""
        for file in self._files():
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                logger.warning(
                    "cannot remove a last good copy that must not be used any more",
                    extra={"file": str(file), "error": str(error)},
                )

    def _files(self) -> list[Path]:
        """List the copies, newest first."""
        try:
            found = [file for file in self._folder.iterdir() if file.name.startswith(self._prefix)]
        except OSError:
            return []
        return sorted(found, key=lambda file: file.name, reverse=True)

    def _save(self, snapshots: list[resource.Snapshot], now: float) -> None:
        # The number orders the files whatever the clock does; the tag tells equal content without a look inside.
        content = msgspec.json.encode(Copy(saved_at=now, snapshots=snapshots))
        tag = self._tag(snapshots)
        kept = self._files()
        if kept and kept[0].name.endswith(f"-{tag}.copy") and self._is_whole(kept[0]):
            return
        number = 1 + (_number(kept[0].name.removeprefix(self._prefix)) if kept else 0)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sealed = self._sealed(content)
        _write(self._folder / f"{self._prefix}{number:012d}-{secrets.token_hex(4)}-{tag}.copy", sealed)
        for old in self._files()[GENERATIONS:]:
            old.unlink(missing_ok=True)
        _remove_abandoned(self._folder)

    def _is_whole(self, file: Path) -> bool:
        """Say whether a copy could be started from: one that was damaged meanwhile is written anew."""
        if file.name in self._refused:
            return False
        try:
            self._open(file)
        except (RefusedCopyError, OSError):
            return False
        return True

    def _tag(self, snapshots: list[resource.Snapshot]) -> str:
        held = "\n".join(f"{one.bundle} {one.position} {one.digest} {one.gray}" for one in snapshots)
        return hmac.new(self._secret, held.encode(), hashlib.sha256).hexdigest()[:16]

    def _sealed(self, content: bytes) -> bytes:
        salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
        head = MAGIC + bytes([FORMAT]) + salt + nonce
        return head + self._cipher(salt).encrypt(nonce, zlib.compress(content, 1), self._bound())

    def _open(self, file: Path) -> Copy:
        with file.open("rb") as source:
            sealed = source.read(MAX_FILE_BYTES + 1)
        if len(sealed) > MAX_FILE_BYTES:
            raise RefusedCopyError(f"it is larger than {MAX_FILE_BYTES} bytes")
        if len(sealed) <= HEAD_BYTES or not sealed.startswith(MAGIC):
            raise RefusedCopyError("it is cut short, or no copy at all")
        if sealed[len(MAGIC)] != FORMAT:
            raise RefusedCopyError(f"it has format {sealed[len(MAGIC)]}; this version reads {FORMAT}")
        salt = sealed[len(MAGIC) + 1 : len(MAGIC) + 1 + SALT_BYTES]
        nonce = sealed[HEAD_BYTES - NONCE_BYTES : HEAD_BYTES]
        try:
            packed = self._cipher(salt).decrypt(nonce, sealed[HEAD_BYTES:], self._bound())
        except InvalidTag:
            raise RefusedCopyError("it was altered, or made by another application or with another secret") from None
        return _read(packed)

    def _cipher(self, salt: bytes) -> AESGCM:
        derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=b"qiantang last good copy")
        return AESGCM(derived.derive(self._secret))

    def _bound(self) -> bytes:
        return b"%s %d %s" % (MAGIC, FORMAT, str(self._scope).encode())


def _read(packed: bytes) -> Copy:
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(packed, MAX_CONTENT_BYTES)
        if not inflate.eof:
            raise RefusedCopyError(f"it holds more than {MAX_CONTENT_BYTES} bytes")
        return wire.decode(content, Copy)
    except (zlib.error, errors.InvalidRequestError) as error:
        raise RefusedCopyError(f"it cannot be read: {error}") from error


def _number(name: str) -> int:
    digits = name.partition("-")[0]
    return int(digits) if digits.isdecimal() and len(digits) <= 12 else 0


def _write(file: Path, content: bytes) -> None:
    files.replace(file, file.with_name(f".{file.name}.writing"), content)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed while writing left behind."""
    for file in folder.glob(".*.writing"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > ABANDONED_SECONDS:
                file.unlink(missing_ok=True)
