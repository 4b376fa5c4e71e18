"""Routes of the configuration center beyond those that every resource has."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter, RawBody

from qiantang.config import model
from qiantang.config.model.answers import EffectiveView, ImportResult, Policy, SearchHit
from qiantang.kernel import errors, release, resource, scope
from qiantang_server.config.service import Configuration
from qiantang_server.config.service.exchange import ImportOptions
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.web.resources import PLACE, provide_bundle

Limit = Annotated[int, QueryParameter(ge=1, le=200)]


@get(f"{PLACE}/effective", opt={"verb": "read"}, dependencies={"bundle": Provide(provide_bundle)})
async def explain_effective(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    configuration: NamedDependency[Configuration],
    cluster: FromQuery[str] = "default",
    instance: FromQuery[str] = "-",
    labels: FromQuery[str] = "",
    namespace: FromQuery[str] = "",
    key: FromQuery[str] = "",
    reveal: FromQuery[bool] = False,
) -> EffectiveView:
    """Explain what an instance of this name, cluster and labels (a=b,c=d) sees, and where each value comes from."""
    scope.check_name(cluster, "cluster")
    seen_by = scope.Instance(name=instance[:128] or "-", cluster=cluster, labels=_labels(labels))
    if reveal:
        return await configuration.effective.reveal(principal, bundle, seen_by, namespace=namespace, key=key)
    return await configuration.effective.view(bundle, seen_by, namespace=namespace, key=key)


@get("/search/{tenant:str}", opt={"authenticated": "finds only what the reader may see, in the query itself"})
async def search_settings(
    principal: NamedDependency[Principal],
    configuration: NamedDependency[Configuration],
    tenant: FromPath[str],
    words: FromQuery[str],
    after: FromQuery[str] = "",
    limit: Limit = 50,
) -> release.Page[SearchHit]:
    """Find published keys and values of a tenant that hold the words; never secrets."""
    return await configuration.search.find(principal, words, tenant, after=after, limit=limit)


@get(f"{PLACE}/export", opt={"verb": "read"}, dependencies={"bundle": Provide(provide_bundle)})
async def export_application(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    configuration: NamedDependency[Configuration],
    reveal: FromQuery[bool] = False,
) -> Response[bytes]:
    """Give all published namespaces as a zip; secrets are left out unless revealed."""
    data = await configuration.exchange.export_application(principal, bundle, reveal=reveal)
    name = f"{bundle.scope.application}-{bundle.scope.environment}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type="application/zip", headers=headers)


@get(f"{PLACE}/export/{{name:str}}", opt={"verb": "read"}, dependencies={"bundle": Provide(provide_bundle)})
async def export_namespace(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    configuration: NamedDependency[Configuration],
    name: FromPath[str],
    format: Annotated[model.Format | None, QueryParameter()] = None,  # the name on the wire
    reveal: FromQuery[bool] = False,
) -> Response[str]:
    """Give a published namespace as text; secrets are left out unless revealed."""
    text = await configuration.exchange.export_namespace(principal, bundle, name, format, reveal=reveal)
    return Response(text, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


@post(
    f"{PLACE}/import",
    opt={"verb": "update", "large": True},
    dependencies={"bundle": Provide(provide_bundle)},
    status_code=200,
)
async def import_application(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    configuration: NamedDependency[Configuration],
    body: RawBody,
    policy: FromQuery[Policy] = "fail",
    dry_run: FromQuery[bool] = False,
) -> ImportResult:
    """Take the namespaces of a zip in as drafts."""
    options = ImportOptions(policy, dry_run)
    return await configuration.exchange.import_application(principal, bundle, body, options)


@post(
    f"{PLACE}/import/{{name:str}}",
    opt={"verb": "update", "large": True},
    dependencies={"bundle": Provide(provide_bundle)},
    status_code=200,
)
async def import_namespace(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    configuration: NamedDependency[Configuration],
    body: RawBody,
    name: FromPath[str],
    format: Annotated[model.Format, QueryParameter()],  # the name on the wire
    policy: FromQuery[Policy] = "fail",
    dry_run: FromQuery[bool] = False,
) -> ImportResult:
    """Take one namespace in as a draft."""
    options = ImportOptions(policy, dry_run)
    named = (name, format)
    return await configuration.exchange.import_namespace(principal, bundle, body, named=named, options=options)


def _labels(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or len(found) >= 50:
            raise errors.InvalidRequestError("labels are written a=b,c=d, fifty at most")
        found[name.strip()[:64]] = value.strip()[:128]
    return found


def router(configuration: Configuration) -> Router:
    """Make the routes."""
    return Router(
        path=f"/api/v1/{model.CAPABILITY}",
        route_handlers=[
            explain_effective,
            search_settings,
            export_application,
            export_namespace,
            import_application,
            import_namespace,
        ],
        dependencies={"configuration": Provide(lambda: configuration, sync_to_thread=False)},
        opt={"capability": model.CAPABILITY, "kind": model.KIND},
        tags=[model.CAPABILITY],
    )
