"""Folders: whose offline store a folder is. One process, one folder, held by a lock for as long as the process lives.

    <base>/<member>/lock             held (flock) by the owner; the system releases it when the process ends, however it ends
    <base>/<member>/<link>/...       one spool for each link, its name percent-encoded

A folder whose owner has died is adopted: another process takes its lock, drains it, and removes it. Two never own one at a time.
All of it blocks: call it off the loop. The base has to be on a file system of this machine: locks over a network are not
relied upon.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import urllib.parse
from pathlib import Path
from typing import Final

from qiantang.kernel import errors
from qiantang.kernel.observe import fork
from qiantang.messaging.client.spool import cursor, disk

LOCK: Final = "lock"
CLAIM_SECONDS: Final = 5.0


class Folder:
    """A folder that this process owns, until it closes it or ends."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        fork.remember(self)

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    @property
    def is_held(self) -> bool:
        """Whether this process owns it still."""
        return self._lock >= 0

    def links(self) -> list[str]:
        """Give the links that have a spool here."""
        found = [urllib.parse.unquote(one.name) for one in self.path.iterdir() if one.is_dir()]
        return sorted(found)

    def spool(self, link: str) -> Path:
        """Give the folder of a link's spool; it may not be there yet."""
        return self.path / urllib.parse.quote(link, safe="")

    def close(self) -> None:
        """Give it up: another process may adopt what is in it. Its spools are closed before. Closing twice does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def has_backlog(self) -> bool:
        """Say whether any of its spools may hold messages that are to be drained."""
        return any(next(self.spool(link).glob("*.spool"), None) for link in self.links())

    def remove(self) -> bool:
        """Give it up, and remove it if nothing is in it; say whether it was. Its spools are closed before.

        Messages that wait, and damaged ones that somebody may want to look at, stay. Raises OSError.
        """
        try:
            for link in self.links():
                spool = self.spool(link)
                if {file.name for file in spool.iterdir()} <= {cursor.FILE}:
                    (spool / cursor.FILE).unlink(missing_ok=True)
                    spool.rmdir()
            if {file.name for file in self.path.iterdir()} != {LOCK}:
                return False
            # The lock's file goes while it is held: who opened it before finds out that it is another than the one there.
            (self.path / LOCK).unlink()
            self.path.rmdir()
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            return False  # somebody made a lock anew between the two lines above: it is his
        else:
            return True
        finally:
            self.close()

    def forget_locks(self) -> None:
        """A fork's child does not own what its parent does: it lets go of the lock without releasing it."""
        self.close()


def claim(base: Path, member: str) -> Folder:
    """Make the folder of a member, a name that no other process has, and own it.

    Raises:
        MisconfiguredError: it cannot be made, or another process has it.
    """
    path = base / urllib.parse.quote(member, safe="")
    ends = time.monotonic() + CLAIM_SECONDS
    try:
        while True:
            disk.make_folder(path)
            folder = _try(path, make=True)
            if folder is not None:
                return folder
            # Who looks for orphans may have come between the folder and its lock; he finds it empty and goes on.
            if time.monotonic() >= ends:
                break
            time.sleep(0.01)
    except OSError as error:
        raise errors.MisconfiguredError(f"the offline store's folder {path} cannot be used: {error}") from error
    raise errors.MisconfiguredError(f"the offline store's folder {path} belongs to another process")


def adopt(base: Path, limit: int = 16) -> list[Folder]:
    """Own up to so many folders whose owners are gone, the oldest first; those that hold nothing are removed. Raises OSError."""
    adopted: list[Folder] = []
    if not base.is_dir():
        return adopted
    for path in sorted((one for one in base.iterdir() if one.is_dir()), key=_age):
        if len(adopted) >= limit:
            break
        folder = _try(path, make=False)
        if folder is None:
            continue
        if folder.has_backlog():
            adopted.append(folder)
        else:
            folder.remove()
    return adopted


def _try(path: Path, *, make: bool) -> Folder | None:
    """Own a folder, unless somebody does or it is gone."""
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have removed it between the two lines above: a lock on a file that is gone locks nothing.
        there = (path / LOCK).stat()
        if os.fstat(lock).st_ino == there.st_ino:
            return Folder(path, lock)
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
