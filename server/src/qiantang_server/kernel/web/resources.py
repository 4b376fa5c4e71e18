"""Resources over HTTP: the generic face of every kind. A capability declares kinds and has all of these routes."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, Response, Router, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from qiantang.kernel import errors, release, resource, scope, wire
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import Kinds, ResourceKind, Resources
from qiantang_server.kernel.resources.kinds import VERBS
from qiantang_server.kernel.resources.service.requests import OPEN, STATES
from qiantang_server.kernel.watch import Watch
from qiantang_server.kernel.watch.instances import Wanted
from qiantang_server.kernel.watch.standing import State
from qiantang_server.kernel.web import overview

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Version = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", description='the version that was read (its ETag); "0" for one that does not exist yet'
    ),
]
Standing = Annotated[
    State,
    QueryParameter(name="state", description="only living ones that hold the newest, failed to take something, or lag"),
]
PLACE = "/{tenant:str}/{environment:str}/{center:str}/{application:str}"


async def provide_bundle(
    request: Request[Principal, Any, Any],
    resources: NamedDependency[Resources],
    tenant: FromPath[str],
    environment: FromPath[str],
    center: FromPath[str],
    application: FromPath[str],
) -> resource.Bundle:
    """Give the bundle that the path names; 404 where there is no such application."""
    names = (tenant, environment, center, application)
    place = scope.Scope.parse("/".join(names))
    bundle = resource.Bundle(scope=place, capability=request.route_handler.opt["capability"])
    async with resources.parts.database.reading() as session:
        await resources.parts.directory.require_application(session, place)
    return bundle


def _expected(if_match: str | None) -> str:
    if if_match is None:
        raise errors.InvalidRequestError(
            "say which version you are changing: the header If-Match with the ETag that you read, or 0 for a new one"
        )
    return if_match.strip().removeprefix("W/").strip('"')


def _detail(detail: release.ResourceDetail) -> Response[release.ResourceDetail]:
    return Response(detail, headers={"ETag": f'"{detail.version}"'})


class KindController(Controller):
    """Resources of one kind: list, read, edit, remove, discard, reveal."""

    @get("/", opt={"verb": "read"})
    async def list_resources(
        self,
        bundle: NamedDependency[resource.Bundle],
        kind: NamedDependency[str],
        resources: NamedDependency[Resources],
        after: FromQuery[str] = "",
        limit: Limit = 100,
    ) -> release.Page[release.ResourceSummary]:
        """List resources in order of name, drafts among them."""
        return await resources.drafts.list_resources(bundle, kind, after=after, limit=limit)

    @get("/{name:str}", opt={"verb": "read"})
    async def read_resource(
        self,
        bundle: NamedDependency[resource.Bundle],
        kind: NamedDependency[str],
        resources: NamedDependency[Resources],
        name: FromPath[str],
    ) -> Response[release.ResourceDetail]:
        """Read a resource with its draft; secrets masked."""
        return _detail(await resources.drafts.read(bundle, kind, name))

    @put("/{name:str}", opt={"verb": "update", "large": True})
    async def save_draft(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        kind: NamedDependency[str],
        resources: NamedDependency[Resources],
        name: FromPath[str],
        data: JSONBody[release.DraftCommand],
        if_match: Version = None,
    ) -> Response[release.ResourceDetail]:
        """Save the body as the resource's draft."""
        expected = _expected(if_match)
        return _detail(await resources.drafts.save(principal, bundle, kind, name, data.body, expected=expected))

    @delete("/{name:str}", opt={"verb": "update"})
    async def remove_resource(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        kind: NamedDependency[str],
        resources: NamedDependency[Resources],
        name: FromPath[str],
        if_match: Version = None,
    ) -> None:
        """Draft the removal of a resource."""
        await resources.drafts.remove(principal, bundle, kind, name, expected=_expected(if_match))

    @delete("/{name:str}/draft", opt={"verb": "update"})
    async def discard_draft(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        kind: NamedDependency[str],
        resources: NamedDependency[Resources],
        name: FromPath[str],
        if_match: Version = None,
    ) -> None:
        """Throw the draft away."""
        await resources.drafts.discard(principal, bundle, kind, name, expected=_expected(if_match))

    @get("/{name:str}/revealed", opt={"verb": "reveal"})
    async def reveal_resource(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        kind: NamedDependency[str],
        resources: NamedDependency[Resources],
        name: FromPath[str],
        draft: FromQuery[bool] = False,
    ) -> dict[str, Any]:
        """Read a body with its secrets in plain text; who did so is written down."""
        return {"body": await resources.drafts.reveal(principal, bundle, kind, name, drafted=draft)}


class BundleController(Controller):
    """A bundle as a whole: status, drafts, check, releases, rollback, gray, requests, instances."""

    @get("/status", opt={"verb": "read"})
    async def read_status(
        self, bundle: NamedDependency[resource.Bundle], resources: NamedDependency[Resources]
    ) -> release.BundleStatus:
        """Say where the application's bundle stands."""
        return await resources.history.status(bundle)

    @get("/drafts", opt={"verb": "read"})
    async def list_drafts(
        self, bundle: NamedDependency[resource.Bundle], resources: NamedDependency[Resources]
    ) -> release.Difference:
        """List the drafts with what publishing them would change."""
        return await resources.drafts.pending(bundle)

    @post("/check", opt={"verb": "read"}, status_code=200)
    async def check_drafts(
        self, bundle: NamedDependency[resource.Bundle], resources: NamedDependency[Resources]
    ) -> release.CheckResult:
        """Check the drafts as a publish would."""
        return await resources.publishing.check(bundle)

    @get("/releases", opt={"verb": "read"})
    async def list_releases(
        self,
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        after: FromQuery[int] = 0,
        limit: Limit = 50,
    ) -> release.Page[release.Release]:
        """List releases, newest first; `after` is the revision to go on below."""
        return await resources.history.list_releases(bundle, before=after, limit=limit)

    @post("/releases", opt={"verb": "publish"}, status_code=200)
    async def publish(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        data: JSONBody[release.PublishCommand],
    ) -> release.PublishOutcome:
        """Publish drafts: at once, by a gray rule, later, or as a request for a second person."""
        return await resources.publishing.publish(principal, bundle, data)

    @get("/releases/{revision:int}", opt={"verb": "read"})
    async def read_release(
        self, bundle: NamedDependency[resource.Bundle], resources: NamedDependency[Resources], revision: FromPath[int]
    ) -> release.ReleaseDetail:
        """Read a release with its resources; secrets masked."""
        return await resources.history.read(bundle, revision)

    @get("/releases/{revision:int}/changes", opt={"verb": "read"})
    async def compare_releases(
        self,
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        revision: FromPath[int],
        since: FromQuery[int | None] = None,
    ) -> list[release.PendingChange]:
        """Compare a release with an earlier one, the one before it if none is named."""
        before = max(0, revision - 1) if since is None else since
        return await resources.history.compare(bundle, before, revision)

    @post("/rollback", opt={"verb": "rollback"}, status_code=200)
    async def roll_back(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        data: JSONBody[release.RollbackCommand],
    ) -> release.Release:
        """Publish the content of an earlier revision as a new one."""
        return await resources.publishing.roll_back(principal, bundle, data)

    @get("/gray", opt={"verb": "read"})
    async def read_gray(
        self, bundle: NamedDependency[resource.Bundle], resources: NamedDependency[Resources]
    ) -> release.GrayStatus | None:
        """Show the running gray release, or null."""
        return await resources.gray.status(bundle)

    @post("/gray/preview", opt={"verb": "read"}, status_code=200)
    async def preview_gray(
        self,
        bundle: NamedDependency[resource.Bundle],
        watch: NamedDependency[Watch],
        data: JSONBody[release.GrayRule],
    ) -> release.GrayPreview:
        """Show which living instances a gray rule would take if it were published over what is released now."""
        return await watch.overview.progress.preview(bundle, data)

    @put("/gray", opt={"verb": "publish"})
    async def change_gray(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        data: JSONBody[release.GrayChangeCommand],
    ) -> release.PublishOutcome:
        """Change whom the running gray release is for."""
        return await resources.gray.change(principal, bundle, data)

    @post("/gray/promote", opt={"verb": "publish"}, status_code=200)
    async def promote_gray(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        data: JSONBody[release.GrayEndCommand],
    ) -> release.PublishOutcome:
        """Release the gray changes to everyone."""
        return await resources.gray.promote(principal, bundle, data)

    @post("/gray/abort", opt={"verb": "publish"}, status_code=200)
    async def abort_gray(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        data: JSONBody[release.GrayEndCommand],
    ) -> release.Release:
        """Take the gray changes back; they become drafts again."""
        return await resources.gray.abort(principal, bundle, data)

    @get("/requests", opt={"verb": "read"})
    async def list_requests(
        self,
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        decided: FromQuery[bool] = False,
        limit: Limit = 100,
    ) -> list[release.PublishRequest]:
        """List requests to publish, newest first: those that wait, or with `decided` all."""
        return await resources.requests.list_requests(bundle, STATES if decided else OPEN, limit)

    @post("/requests/{request_id:str}/approve", opt={"verb": "approve"}, status_code=200)
    async def approve_request(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        request_id: FromPath[str],
        data: JSONBody[release.DecisionCommand],
    ) -> release.PublishRequest:
        """Approve another person's request; it is published at once, or at its time."""
        return await resources.requests.decide(principal, bundle, request_id, "approve", data.message)

    @post("/requests/{request_id:str}/reject", opt={"verb": "approve"}, status_code=200)
    async def reject_request(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        request_id: FromPath[str],
        data: JSONBody[release.DecisionCommand],
    ) -> release.PublishRequest:
        """Reject a request; the drafts stay."""
        return await resources.requests.decide(principal, bundle, request_id, "reject", data.message)

    @post("/requests/{request_id:str}/cancel", opt={"verb": "publish"}, status_code=200)
    async def cancel_request(
        self,
        principal: NamedDependency[Principal],
        bundle: NamedDependency[resource.Bundle],
        resources: NamedDependency[Resources],
        request_id: FromPath[str],
        data: JSONBody[release.DecisionCommand],
    ) -> release.PublishRequest:
        """Take a request back; the drafts stay."""
        return await resources.requests.decide(principal, bundle, request_id, "cancel", data.message)

    @get("/instances", opt={"verb": "read"})
    async def list_instances(
        self,
        bundle: NamedDependency[resource.Bundle],
        watch: NamedDependency[Watch],
        after: FromQuery[str] = "",
        limit: Limit = 200,
        words: FromQuery[str] = "",
        standing: Standing = "",
    ) -> release.Page[release.InstanceStatus]:
        """List the application's instances with what each holds, since when, and the error of its callback."""
        known = await watch.heads.get(bundle)
        wanted = Wanted(words=words, state=standing)
        return await watch.instances.list_instances(bundle, known.position, wanted, after=after, limit=limit)

    @get("/convergence", opt={"verb": "read"})
    async def read_convergence(
        self, bundle: NamedDependency[resource.Bundle], watch: NamedDependency[Watch]
    ) -> release.Convergence:
        """Show how far the newest release has come among the living instances."""
        return await watch.overview.progress.read(bundle)


@get("/api/v1/kinds", opt={"authenticated": "says what can be governed, not what is"}, tags=["resources"])
async def list_kinds(resources: NamedDependency[Resources]) -> list[release.KindInfo]:
    """List every kind of governed thing with the schema of its bodies: what a generic editor is made from."""
    kinds = resources.parts.kinds
    return [
        _info(kinds, kind, first=number == 0)
        for capability in kinds.capabilities()
        for number, kind in enumerate(kinds.of(capability))
    ]


def _info(kinds: Kinds, kind: ResourceKind, *, first: bool) -> release.KindInfo:
    return release.KindInfo(
        capability=kind.capability,
        name=kind.name,
        plural=kind.plural,
        title=kind.title,
        home=kinds.title(kind.capability),
        schema=wire.schema(kind.model),
        permissions={verb: kinds.permission(kind, verb) for verb in VERBS},
        bundle=first,
        resource_bytes=kind.limits.resource_bytes,
        bundle_bytes=kind.limits.bundle_bytes,
        bundle_count=kind.limits.bundle_count,
    )


def routers(kinds: Kinds) -> list[Any]:
    """Make the routes of every capability that has kinds."""
    made: list[Any] = [list_kinds, *overview.ROUTES]
    for capability in kinds.capabilities():
        own = kinds.of(capability)
        path = f"/api/v1/{capability}{PLACE}"
        for kind in own:
            controller = type(f"{capability.title()}{kind.name.title()}Controller", (KindController,), {"path": "/"})
            made.append(_router(f"{path}/{kind.plural}", controller, kind))
        controller = type(f"{capability.title()}BundleController", (BundleController,), {"path": "/"})
        made.append(_router(path, controller, own[0]))
    return made


def _router(path: str, controller: type[Controller], kind: ResourceKind) -> Router:
    return Router(
        path=path,
        route_handlers=[controller],
        dependencies={
            "bundle": Provide(provide_bundle),
            "kind": Provide(lambda: kind.name, sync_to_thread=False),
        },
        opt={"capability": kind.capability, "kind": kind.name},
        tags=[kind.capability],
    )
