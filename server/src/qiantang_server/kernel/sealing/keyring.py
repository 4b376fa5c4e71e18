"""Keyring: the master keys. They wrap the data keys and nothing else, and are never written to the database."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qiantang.kernel import errors, scope

FILE = "keyring.json"
KEY_BYTES = 32
NONCE_BYTES = 12


class WrongKeyringError(errors.MisconfiguredError):
    """The keyring is not the one that this database was sealed with."""

    code = "sealing.wrong_keyring"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    current: str
    keys: dict[str, str]


class Keyring:
    """Master keys by id, one of them current. Wrapping binds a key to its place by associated data."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self.current = current

    def __repr__(self) -> str:
        """Never show a key."""
        return f"Keyring(current={self.current!r}, keys={sorted(self._ciphers)})"

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read `id:base64,id:base64`; the first one is current.

        Raises:
            MisconfiguredError: not of that form; the message holds no key.
        """
        keys: dict[str, bytes] = {}
        for number, part in enumerate(text.split(","), 1):
            name, colon, encoded = part.strip().partition(":")
            if not colon:
                raise errors.MisconfiguredError(f"sealing.keys: key {number} is not of the form id:base64")
            keys[scope.check_name(name, "key id")] = _decode(encoded, f"sealing.keys: key {name!r}")
        return cls(keys, next(iter(keys)))

    @classmethod
    def of_file(cls, path: Path) -> Keyring:
        """Read the keyring file, or make one with a random key that only its owner can read.

        Raises:
            MisconfiguredError: it cannot be read or made, is not of the form, or others may read it.
        """
        try:
            _make(path)
            mode = path.stat().st_mode
            data = path.read_bytes()
        except OSError as error:
            raise errors.MisconfiguredError(f"the keyring {path} cannot be used: {error.strerror}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise errors.MisconfiguredError(f"others may read the keyring {path}: chmod 600 it")
        try:
            held = msgspec.json.decode(data, type=_File)
        except msgspec.MsgspecError as error:
            raise errors.MisconfiguredError(f"the keyring {path} is damaged; restore it from your backup") from error
        if held.current not in held.keys:
            raise errors.MisconfiguredError(f"the keyring {path} says {held.current!r} is current and does not hold it")
        keys = {name: _decode(text, f"key {name!r} of {path}") for name, text in held.keys.items()}
        return cls(keys, held.current)

    def wrap(self, plain: bytes, place: str) -> tuple[str, str]:
        """Encrypt a key under the current master key; give the master key's id and the text."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.current].encrypt(nonce, plain, place.encode())
        return self.current, base64.b64encode(nonce + sealed).decode()

    def unwrap(self, master: str, wrapped: str, place: str) -> bytes:
        """Give back what was wrapped.

        Raises:
            WrongKeyringError: the master key is not here, or is another one of the same id.
        """
        cipher = self._ciphers.get(master)
        if cipher is None:
            raise WrongKeyringError(
                f"the database was sealed with master key {master!r}, which this server does not have: "
                "give every server the same keyring"
            )
        raw = base64.b64decode(wrapped)
        try:
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode())
        except InvalidTag as error:
            raise WrongKeyringError(
                f"master key {master!r} of this server is not the one that sealed the database, or the row was altered: "
                "give every server the same keyring"
            ) from error


def _decode(text: str, what: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.MisconfiguredError(f"{what} is not base64") from error
    if len(key) != KEY_BYTES:
        raise errors.MisconfiguredError(f"{what} has {len(key)} bytes; a master key has {KEY_BYTES}")
    return key


def _make(path: Path) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    name = f"k{secrets.token_hex(4)}"
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(_File(current=name, keys={name: key}))))
        file.flush()
        os.fsync(file.fileno())
