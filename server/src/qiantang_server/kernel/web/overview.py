"""Overview over HTTP: what a person sees over many bundles at once, each filtered by his grants in the query itself."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from qiantang.kernel import release
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.watch import Watch
from qiantang_server.kernel.watch.overview.bundles import State, Wanted

ONLY_VISIBLE = "shows only what the reader may see, in the query itself"
RowLimit = Annotated[int, QueryParameter(ge=1, le=200)]
Standing = Annotated[State, QueryParameter(name="state", description="what must wait or be wrong in it")]
WorkLimit = Annotated[int, QueryParameter(ge=1, le=50)]


@get("/api/v1/bundles/{tenant:str}", opt={"authenticated": ONLY_VISIBLE}, tags=["overview"])
async def list_bundles(
    principal: NamedDependency[Principal],
    watch: NamedDependency[Watch],
    tenant: FromPath[str],
    environment: FromQuery[str] = "",
    center: FromQuery[str] = "",
    application: FromQuery[str] = "",
    capability: FromQuery[str] = "",
    words: FromQuery[str] = "",
    standing: Standing = "",
    after: FromQuery[str] = "",
    limit: RowLimit = 100,
) -> release.Page[release.BundleRow]:
    """List bundles with where each stands, what waits in it and how its instances are."""
    wanted = Wanted(
        environment=environment,
        center=center,
        application=application,
        capability=capability,
        words=words,
        state=standing,
    )
    return await watch.overview.bundles.list_bundles(principal, tenant, wanted, after=after, limit=limit)


@get("/api/v1/work/{tenant:str}", opt={"authenticated": ONLY_VISIBLE}, tags=["overview"])
async def read_work(
    principal: NamedDependency[Principal],
    watch: NamedDependency[Watch],
    tenant: FromPath[str],
    environment: FromQuery[str] = "",
    limit: WorkLimit = 20,
) -> release.Work:
    """Show one's own work: drafts, what one may approve, what one asked for, instances that fail, the newest releases."""
    return await watch.overview.desk.read(principal, tenant, environment, limit=limit)


ROUTES: list[Any] = [list_bundles, read_work]
