"""Files: what the command line writes for its owner alone, as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from qiantang.kernel import errors


@contextmanager
def whole(file: Path, *, force: bool = True) -> Generator[IO[bytes]]:
    """Give a new file to write to, which takes its place when the block ends well; nothing is left where it does not.

    Raises:
        ConflictError: it is there already, and `force` is not given.
        MisconfiguredError: it cannot be written.
    """
    if not force and file.exists():
        raise errors.ConflictError(f"{file} is there already: give --force to write over it")
    if file.exists() and not file.is_file():
        raise errors.MisconfiguredError(f"{file} cannot be written: it is not a file")
    target = file.resolve()  # a link stays, and what it leads to is written
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                yield opened
                opened.flush()
                os.fsync(opened.fileno())
            fresh.replace(target)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise
    except OSError as error:
        raise errors.MisconfiguredError(f"{file} cannot be written: {error.strerror}") from error
