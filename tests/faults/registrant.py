"""Registrant: a provider in a process of its own, registered with the platform; it tells its session's life, a line of JSON each.

Run with {"settings": …, "microservice": …, "node": …} as JSON in QIANTANG_TEST_REGISTRANT.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from qiantang.kernel.settings import Secret
from qiantang.registry import Node, Registration, RegistrySettings, registry_of


async def main() -> None:
    """Be there until killed."""
    told = json.loads(os.environ["QIANTANG_TEST_REGISTRANT"])
    secret = Secret(told["settings"].pop("platform_secret"))
    settings = RegistrySettings(**told["settings"], platform_secret=secret)
    node = Node(name=told["node"], addresses={"csf1": "127.0.0.1:9"}, started_at=time.time())
    async with registry_of(settings) as registry, Registration(registry, told["microservice"], node) as registration:
        sys.stdout.write(json.dumps({"told": registration.is_told, "process": os.getpid()}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
