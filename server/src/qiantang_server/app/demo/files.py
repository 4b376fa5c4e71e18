"""Files: what the demo keeps in the data folder, for its owner alone: credentials, passwords, and whether all is there."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from qiantang.kernel import errors, wire


class Issued(msgspec.Struct):
    """A credential of one application in one environment."""

    credential: str
    secret: str


class Known(msgspec.Struct):
    """What is kept between two starts. `complete`: the shop was set up to its end, so nothing is set up again.

    `broker` is the mark of the one that the messages of prod were given last.
    """

    complete: bool = False
    broker: str = ""
    credentials: dict[str, Issued] = {}


class Files:
    """The files below the data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "demo"
        self.passwords = self.folder / "passwords.txt"
        self._known = self.folder / "known.json"

    def read(self) -> Known:
        """Give what is kept; nothing where there is no file, or none that can be read."""
        try:
            return wire.decode(self._known.read_bytes(), Known)
        except (OSError, errors.InvalidRequestError):
            return Known()

    def write(self, known: Known) -> None:
        """Keep it."""
        self._write(self._known, wire.encode(known))

    def read_passwords(self) -> dict[str, str]:
        """Give the passwords that were made, by name."""
        try:
            lines = self.passwords.read_text().splitlines()
        except OSError:
            return {}
        return dict(line.split(maxsplit=1) for line in lines if len(line.split()) == 2 and not line.startswith("#"))

    def write_passwords(self, passwords: dict[str, str]) -> None:
        """Keep the passwords where their owner can read them."""
        lines = ["# The demo's people, of tenant demo. Made for this folder; delete the file once you have read it."]
        lines += [f"{name}  {password}" for name, password in passwords.items()]
        self._write(self.passwords, "\n".join([*lines, ""]).encode())

    def _write(self, file: Path, content: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.writing")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        fresh.replace(file)
