"""A provider as a process of its own, as its operator would run it: registered in ZooKeeper, leaving in order on SIGTERM.

`python house.py HOSTS MICROSERVICE NAME`; says "ready" when it is, and answers `faults.House` until told to end.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from datetime import timedelta
from typing import Protocol

from qiantang.kernel import observe
from qiantang.registry.adapters.zookeeper import ZooKeeperRegistry
from qiantang.registry.settings import RegistrySettings
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider.membership import Member
from qiantang.rpc.provider.serving import Provider
from qiantang.rpc.settings import RpcSettings


@service("faults.House")
class House(Protocol):
    """What callers of these tests want."""

    @method(timeout=2, idempotent=True)
    async def answer(self, pause: float) -> str: ...

    @method(timeout=5)
    async def count(self, pause: float) -> str: ...

    @method(timeout=5)
    async def block(self, seconds: float) -> str: ...


class Answering:
    """Answers with its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def answer(self, pause: float) -> str:
        await asyncio.sleep(pause)
        return self.name

    async def count(self, pause: float) -> str:
        await asyncio.sleep(pause)
        return self.name

    async def block(self, seconds: float) -> str:
        time.sleep(seconds)  # noqa: ASYNC251  # what no handler may do
        return self.name


def registry(hosts: str) -> ZooKeeperRegistry:
    """Make a registry in which everything happens soon."""
    return ZooKeeperRegistry(
        RegistrySettings(
            adapter="zookeeper",
            address=hosts,
            tenant="acme",
            zookeeper_acl="open",
            zookeeper_session_timeout=timedelta(seconds=4),
            operation_timeout=timedelta(seconds=3),
        )
    )


async def main(hosts: str, microservice: str, name: str) -> None:
    """Answer until told to end."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    provider = Provider(name).add(House, Answering(name))
    settings = RpcSettings(drain=timedelta(seconds=20), notice=timedelta(seconds=0.5))
    async with registry(hosts) as found, Member(provider, found, settings, microservice=microservice):
        _say("ready")
        await told.wait()
    _say("left")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    observe.log_to(sys.stderr)
    asyncio.run(main(*sys.argv[1:]))
