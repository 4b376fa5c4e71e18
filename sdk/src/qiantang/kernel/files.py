"""Files: what is kept on disk for this user alone, as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path


def beside(file: Path) -> Path:
    """Give a name next to a file that no other writer has."""
    return file.with_name(f".{file.name}.{os.getpid()}.{time.monotonic_ns()}")


def replace(file: Path, temporary: Path, content: bytes) -> None:
    """Replace a file as a whole, by way of a temporary one of the same folder, which must not be there yet.

    Durable up to its name, which a crash may set back to the file before: who needs more syncs the folder. Raises OSError, and
    leaves nothing behind then.
    """
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
