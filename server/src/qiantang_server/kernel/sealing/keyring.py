"""Keyring: the master keys. They wrap the data keys and nothing else, and are never written to the database."""

from __future__ import annotations

import base64
import binascii
import contextlib
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
MAX_FILE = 1 << 20


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
            name = _checked(name, number)
            if name in keys:
                raise errors.MisconfiguredError(f"sealing.keys: key {name!r} is there twice")
            keys[name] = _decode(encoded, f"sealing.keys: key {name!r}")
        return cls(keys, next(iter(keys)))

    @classmethod
    def of_file(cls, path: Path) -> Keyring:
        """Read the keyring file.

        Raises:
            MisconfiguredError: it cannot be read, is not of the form, or others may read it.
        """
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(MAX_FILE)
        except OSError as error:
            raise errors.MisconfiguredError(f"the keyring {path} cannot be read: {error.strerror}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise errors.MisconfiguredError(f"others may read the keyring {path}: chmod 600 it")
        try:
            held = msgspec.json.decode(data, type=_File)
        except msgspec.MsgspecError:  # not chained: it may quote what the file holds
            raise errors.MisconfiguredError(f"the keyring {path} is damaged; restore it from your backup") from None
        if held.current not in held.keys:
            raise errors.MisconfiguredError(
                f"the keyring {path} says {held.current[:64]!r} is current and does not hold it"
            )
        keys = {
            scope.check_name(name, f"a key id in {path}"): _decode(text, f"key {name!r} of {path}")
            for name, text in held.keys.items()
        }
        return cls(keys, held.current)

    @property
    def masters(self) -> frozenset[str]:
        """The ids of all its keys."""
        return frozenset(self._ciphers)

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
        try:
            raw = base64.b64decode(wrapped, validate=True)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode())
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise WrongKeyringError(
                f"master key {master!r} of this server is not the one that sealed the database, or the row was altered: "
                "give every server the same keyring"
            ) from error


def _checked(name: str, number: int) -> str:
    try:
        return scope.check_name(name, "key id")
    except errors.InvalidRequestError:  # not quoted: it may be a key that was put in the wrong place
        raise errors.MisconfiguredError(
            f"sealing.keys: the id of key {number} is not a name: {scope.NAME_RULE}"
        ) from None


def _decode(text: str, what: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise errors.MisconfiguredError(f"{what} is not base64") from None
    if len(key) != KEY_BYTES:
        raise errors.MisconfiguredError(f"{what} has {len(key)} bytes; a master key has {KEY_BYTES}")
    return key


def is_there(path: Path) -> bool:
    """Say whether there is a keyring file, readable or not."""
    return os.path.lexists(path)


def make(path: Path) -> None:
    """Make a keyring file with one random key, whole or not at all; where one is there already it stays.

    It is on disk for good before this returns, for what is sealed with it is lost without it.

    Raises:
        MisconfiguredError: it cannot be made there.
    """
    name = f"k{secrets.token_hex(4)}"
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    content = msgspec.json.format(msgspec.json.encode(_File(current=name, keys={name: key})))
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(draft, content)
        try:
            with contextlib.suppress(FileExistsError):  # another server of this folder was faster: one keyring stands
                os.link(draft, path)
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise errors.MisconfiguredError(f"the keyring {path} cannot be made: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
