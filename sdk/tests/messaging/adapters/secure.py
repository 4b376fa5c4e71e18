"""TLS, alike on every broker: messages go over it, and nothing is said to a server that the authority does not know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qiantang.kernel import errors
from qiantang.messaging import Resource
from qiantang.messaging.testing import Rig
from tests.servers import certificates


async def over_tls(adapter: str, url_of: Callable[[Path], str], authority: Path, folder: Path) -> None:
    """Send and consume over TLS; then try with an authority that did not sign the server's certificate.

    `url_of` gives the address for an authority's file.
    """
    rig = Rig(adapter, Resource(name="one", url=url_of(authority)))
    try:
        bus, topic, taker = await rig.taking(rig.topic())
        await bus.send(topic.name, "secret")
        await rig.until(lambda: taker.bodies == ["secret"])
    finally:
        await rig.close()
    stranger = certificates.make(folder).authority
    rig = Rig(adapter, Resource(name="one", url=url_of(stranger)))
    try:
        bus = await rig.bus(topic)
        with pytest.raises(errors.UnavailableError, match="certificate verify failed"):
            await bus.send(topic.name, "not for strangers", deadline=30)
    finally:
        await rig.close()
