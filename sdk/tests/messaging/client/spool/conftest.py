"""A disk that crashes: it forgets what was not synced, and tears what was being written at any byte."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from qiantang.messaging.client.spool import cursor, segments
from qiantang.messaging.client.spool import disk as disks


class CrashError(BaseException):
    """The machine has stopped."""


class Disk:
    """Stands between the store and the files, which are real. Nothing is truly synced: that would cost the tests their time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: dict[int, int] = {}
        self.names: set[tuple[Path, str]] = set()
        self.allowed = -1
        """How many bytes may be written until `stops` is raised; -1 for any number."""
        self.stops: BaseException = CrashError()
        self.sync_fails: OSError | None = None
        self.syncs = 0
        monkeypatch.setattr(segments, "_sync", self.sync)
        monkeypatch.setattr(segments, "_write", self.write)
        monkeypatch.setattr(disks, "sync_folder", self.sync_folder)
        monkeypatch.setattr(cursor.os, "fsync", lambda _file: None)

    def sync(self, file: int) -> None:
        if self.sync_fails is not None:
            error, self.sync_fails = self.sync_fails, None
            raise error
        self.syncs += 1
        found = os.fstat(file)
        self.synced[found.st_ino] = found.st_size

    def sync_folder(self, folder: Path) -> None:
        self.names |= {(folder, file.name) for file in folder.iterdir()}

    def write(self, file: int, data: memoryview) -> int:
        if self.allowed < 0:
            return os.write(file, data)
        written = os.write(file, data[: self.allowed])
        self.allowed -= written
        if written < len(data):
            self.allowed = -1
            raise self.stops
        return written

    def crash(self, folder: Path, chance: random.Random) -> None:
        """Lose what was not synced, or a part of it."""
        for file in sorted(folder.glob("*.spool")):
            found = file.stat()
            if (folder, file.name) not in self.names:
                file.unlink()
                continue
            kept = min(self.synced.get(found.st_ino, 0), found.st_size)
            size = chance.choice([kept, found.st_size, chance.randint(kept, found.st_size)])
            os.truncate(file, size)
            if size > kept and chance.random() < 0.2:
                with file.open("r+b") as opened:  # its length was noted, its bytes were not
                    begin = chance.randint(kept, size - 1)
                    opened.seek(begin)
                    opened.write(bytes(size - begin))
            self.synced[found.st_ino] = size


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    return Disk(monkeypatch)
