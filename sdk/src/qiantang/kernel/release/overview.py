"""Overview: what a person sees over many bundles at once: lists, his own work, what was found, and how a release arrives."""

from __future__ import annotations

from typing import Literal

from qiantang.kernel import resource, wire
from qiantang.kernel.release.life import PublishRequest, Release


class BundleRow(wire.Wire, frozen=True):
    """A bundle in a list: where it stands, what waits in it, and how its living instances are.

    `requests` wait for a second person. `instances` are the living ones of the application; `current` hold the newest position,
    `failed` say that taking it went wrong. `published_at` is 0 where nothing was published yet.
    """

    bundle: resource.Bundle
    position: resource.Position
    drafts: int = 0
    requests: int = 0
    gray: bool = False
    instances: int = 0
    current: int = 0
    failed: int = 0
    published_at: int = 0
    published_by: str = ""
    message: str = ""


class WorkDraft(wire.Wire, frozen=True):
    """A draft that waits to be published; `mine` if who asks edited it last."""

    bundle: resource.Bundle
    kind: str
    name: str
    action: Literal["add", "change", "remove"]
    author: str
    edited_at: int
    mine: bool = True


class WorkRequest(wire.Wire, frozen=True):
    """A request to publish, and the bundle that it is for."""

    bundle: resource.Bundle
    request: PublishRequest


class WorkInstance(wire.Wire, frozen=True):
    """A living instance that could not take what was published; `name` is the instance's."""

    bundle: resource.Bundle
    name: str
    cluster: str
    status: str
    error: str
    position: resource.Position
    applied_at: int
    alive: bool = True


class WorkRelease(wire.Wire, frozen=True):
    """A release, and the bundle that it is of."""

    bundle: resource.Bundle
    release: Release


class WorkCounts(wire.Wire, frozen=True):
    """How much there is of each, beyond what is shown; `instances` live, `behind` of them hold an older position."""

    drafts: int = 0
    approvals: int = 0
    asked: int = 0
    failing: int = 0
    bundles: int = 0
    instances: int = 0
    behind: int = 0


class Work(wire.Wire, frozen=True):
    """What waits for a person in a tenant, newest first: his drafts, what he may approve, what he asked for, what fails."""

    drafts: list[WorkDraft] = []
    approvals: list[WorkRequest] = []
    asked: list[WorkRequest] = []
    failing: list[WorkInstance] = []
    releases: list[WorkRelease] = []
    counts: WorkCounts = WorkCounts()


class Hit(wire.Wire, frozen=True):
    """Something that was found by words. `type` says what; the parts of its place are empty where it has none.

    A `resource` has capability, kind and name; a `text` the path of the value in it as well; a `request` its id as name.
    """

    type: str
    title: str
    detail: str = ""
    tenant: str = ""
    environment: str = ""
    center: str = ""
    application: str = ""
    capability: str = ""
    kind: str = ""
    name: str = ""
    path: str = ""


class ConvergenceInstance(wire.Wire, frozen=True):
    """A living instance and what it holds of a bundle; `ms` is from the release to when it was applied, where it is current."""

    name: str
    cluster: str
    host: str
    status: str
    error: str = ""
    current: bool = False
    gray: str = ""
    position: resource.Position = resource.NOWHERE
    ms: int | None = None


class ConvergenceCluster(wire.Wire, frozen=True):
    """The living instances of one cluster, counted."""

    cluster: str
    total: int
    current: int
    failed: int


class Convergence(wire.Wire, frozen=True):
    """How far the newest release of a bundle has come: total = current + failed + behind, of the living instances.

    The percentiles are over those that are current: from the release to when each had applied it; null where none is.
    Instances that failed stand first, then those behind; `instances` is bounded, the counts are not.
    """

    position: resource.Position
    published_at: int
    total: int
    current: int
    behind: int
    failed: int
    p50_ms: int | None = None
    p99_ms: int | None = None
    instances: list[ConvergenceInstance] = []
    by_cluster: list[ConvergenceCluster] = []


class GrayPreview(wire.Wire, frozen=True):
    """Which living instances a gray rule would take: how many of how many, and the names of some."""

    total: int
    matching: int
    instances: list[str] = []


class Following(wire.Wire, frozen=True):
    """First event of a browser's stream (`hello`): who answers, and the server's time."""

    node: str
    version: str
    at: int


class Refused(wire.Wire, frozen=True):
    """A topic that the stream does not follow, or no longer (`refused`): not visible, whether it is there or not."""

    topic: str


class Counted(wire.Wire, frozen=True):
    """The living instances of a bundle by what they hold of it."""

    total: int
    current: int
    failed: int


class Changed(wire.Wire, frozen=True):
    """Something of a topic changed (`changed`): look again. `reasons` are all of what was gathered, `reason` the weightiest:
    publish, request, draft, instances, rows (of a list); or `many`, where a slow reader missed some.
    """

    topic: str
    reason: str
    reasons: list[str] = []
    position: resource.Position | None = None
    instances: Counted | None = None
