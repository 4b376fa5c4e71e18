"""Finding over HTTP: one question to every finder there is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from qiantang.kernel.release import Hit
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources.finding import Finder

Words = Annotated[str, QueryParameter(min_length=1, max_length=200, description="what is typed, or an id")]
Most = Annotated[int, QueryParameter(ge=1, le=20, description="hits of each sort")]


@get(
    "/api/v1/search/{tenant:str}",
    opt={"authenticated": "finds only what the reader may see, in the query itself"},
    tags=["overview"],
)
async def find(
    principal: NamedDependency[Principal],
    finders: NamedDependency[Sequence[Finder]],
    tenant: FromPath[str],
    words: Words,
    limit: Most = 8,
) -> list[Hit]:
    """Find applications, resources, values, people and pasted ids of a tenant by what is typed."""
    wanted = words.strip()
    if not wanted:
        return []
    found = await asyncio.gather(*(finder(principal, tenant, wanted, limit) for finder in finders))
    return [hit for hits in found for hit in hits]


ROUTES: list[Any] = [find]
