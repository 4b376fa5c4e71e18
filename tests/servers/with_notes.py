"""With notes: the product with one capability more, as its developer adds it: a kind out of a schema, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from qiantang.cli import main
from qiantang_server.app import catalog
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from server.tests.kernel.resources.notes import NOTE


@asynccontextmanager
async def opened(_kernel: Kernel) -> AsyncGenerator[Opened]:
    """Open with nothing beyond the kind."""
    yield Opened()


NOTES = Capability(name=NOTE.capability, title="Notes", kinds=[NOTE], open=opened)

if __name__ == "__main__":
    catalog.CAPABILITIES = (*catalog.CAPABILITIES, NOTES)  # before anything reads it
    sys.exit(main())
