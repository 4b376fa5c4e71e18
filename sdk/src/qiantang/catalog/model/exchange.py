"""Exchange: the file that definitions travel in, from code to the platform. It needs neither of them to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from qiantang.kernel import errors, wire
from qiantang.rpc.model.definition import ServiceDocument, digest_of

FORMAT: Final = "qiantang.services/1"
MOST_BYTES: Final = 16 << 20


class ServiceFile(wire.Wire, frozen=True):
    """What a file of definitions holds."""

    format: Literal["qiantang.services/1"]
    services: list[ServiceDocument]


def written(services: Sequence[ServiceDocument]) -> bytes:
    """Write definitions as a file: fields stay in the order of their declaration.

    Raises:
        InvalidRequestError: two services have one name.
    """
    _require_once(services)
    data = msgspec.json.encode(ServiceFile(format=FORMAT, services=list(services)))
    return msgspec.json.format(data, indent=2) + b"\n"


def read(data: bytes) -> list[ServiceDocument]:
    """Read a file of definitions.

    Raises:
        TooLargeError: over 16 MiB.
        InvalidRequestError: it is none, holds a service twice, or one that was edited by hand.
    """
    if len(data) > MOST_BYTES:
        raise errors.TooLargeError(f"a file of services has at most {MOST_BYTES:,} bytes, this one {len(data):,}")
    services = wire.decode(data, ServiceFile).services
    if not services:
        raise errors.InvalidRequestError("the file holds no service: write it with qiantang service export")
    _require_once(services)
    for one in services:
        if digest_of(one) != one.digest:
            raise errors.InvalidRequestError(
                f"the definition of {one.name} has not the digest that it names: export it again from code"
            )
    return services


def _require_once(services: Sequence[ServiceDocument]) -> None:
    names = [one.name for one in services]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise errors.InvalidRequestError(f"defined twice: {', '.join(twice)[:300]}")
