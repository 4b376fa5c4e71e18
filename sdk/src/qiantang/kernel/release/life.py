"""Life: what a person or a program says when it edits, publishes, grays or rolls back the resources of one bundle, and hears."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from qiantang.kernel import resource, scope, wire

T = TypeVar("T")

NO_VERSION = "0"
"""The version of a resource that does not exist yet: what a first write states as expected."""

Message = Annotated[str, msgspec.Meta(max_length=2000)]
Label = Annotated[str, msgspec.Meta(max_length=128)]


class KindInfo(wire.Wire, frozen=True):
    """A kind of governed thing: where its resources are, the JSON Schema of their bodies, and its limits in bytes and counts.

    `permissions` names the permission that each verb needs. `bundle` is set for the kind whose permissions decide over the
    bundle as a whole (status, releases, gray, requests, instances): the first of its capability, which is called `home`.
    """

    capability: str
    name: str
    plural: str
    title: str
    home: str = ""
    schema: dict[str, Any] = {}
    permissions: dict[str, str] = {}
    bundle: bool = False
    resource_bytes: int = 0
    bundle_bytes: int = 0
    bundle_count: int = 0


class ResourceSummary(wire.Wire, frozen=True):
    """A resource in a list: what is published of it and whether a draft waits."""

    kind: str
    name: str
    state: Literal["published", "new", "changed", "removed"]
    version: str
    digest: str = ""
    size: int = 0
    changed_revision: int = 0
    edited_by: str = ""
    edited_at: int = 0


class ResourceDetail(wire.Wire, frozen=True):
    """A resource: the published body, the draft's body where one waits (null: the draft removes it); secrets masked."""

    kind: str
    name: str
    state: Literal["published", "new", "changed", "removed"]
    version: str
    revision: int = 0
    published: Any = None
    draft: Any = None
    edited_by: str = ""
    edited_at: int = 0


class DraftCommand(wire.Command, frozen=True):
    """Save the body as the draft of a resource."""

    body: Any


class PendingChange(wire.Wire, frozen=True):
    """A draft, and what publishing it would change."""

    kind: str
    name: str
    action: Literal["add", "change", "remove"]
    version: str
    author: str
    edited_at: int
    changes: list[resource.Change] = []


class Difference(wire.Wire, frozen=True):
    """What separates two states of a bundle."""

    revision: int
    pending: list[PendingChange] = []


class LocatedProblem(wire.Wire, frozen=True):
    """One thing wrong with a draft: which resource, where in it, and what."""

    kind: str
    name: str
    message: str
    path: str = ""
    line: int = 0
    column: int = 0


class CheckResult(wire.Wire, frozen=True):
    """Whether the drafts could be published; every problem found, not just the first."""

    ok: bool
    problems: list[LocatedProblem] = []


class GrayRule(wire.Command, frozen=True):
    """Which instances take a gray release: those that a label set fits, that fall in the percent, or that hold a seat.

    `labels` is a list of alternatives, each a mapping that must fit wholly. `percent` is sticky: an instance's place comes
    from its name, so raising the percent only adds instances. `count` seats are held by live instances and refilled.
    """

    labels: Annotated[list[dict[Label, Label]], msgspec.Meta(max_length=50)] = []
    instances: Annotated[list[Label], msgspec.Meta(max_length=500)] = []
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    count: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class PublishCommand(wire.Command, frozen=True):
    """Publish drafts: all of the bundle, or `only` those named as [kind, name].

    `expected_revision` is the revision that the caller saw; `at` (milliseconds UTC) publishes later; with `gray` only the
    instances that it names receive the changes.
    """

    expected_revision: int
    message: Message = ""
    only: list[tuple[str, str]] | None = None
    gray: GrayRule | None = None
    at: int | None = None


class RollbackCommand(wire.Command, frozen=True):
    """Publish the content of an earlier revision as a new revision."""

    to_revision: int
    expected_revision: int
    message: Message = ""


class GrayChangeCommand(wire.Command, frozen=True):
    """Change which instances take the running gray release."""

    rule: GrayRule
    expected_revision: int


class GrayEndCommand(wire.Command, frozen=True):
    """End the running gray release: promote it to everyone, or abort it."""

    expected_revision: int
    message: Message = ""


class DecisionCommand(wire.Command, frozen=True):
    """Approve, reject or cancel a request to publish."""

    message: Message = ""


ReleaseAction = Literal["publish", "rollback", "gray", "gray_change", "promote", "abort", "restore"]


class Release(wire.Wire, frozen=True):
    """One immutable revision of a bundle."""

    revision: int
    epoch: int
    action: ReleaseAction
    author: str
    message: str
    created_at: int
    approved_by: str = ""
    gray: str = ""
    from_revision: int = 0
    changed: list[tuple[str, str, str]] = []


class ReleaseResource(wire.Wire, frozen=True):
    """A resource as a release holds it; secrets masked."""

    kind: str
    name: str
    digest: str
    body: Any = None


class ReleaseDetail(wire.Wire, frozen=True):
    """A release with all its resources."""

    release: Release
    resources: list[ReleaseResource] = []
    gray_resources: list[ReleaseResource] = []
    gray_rule: GrayRule | None = None


class PublishRequest(wire.Wire, frozen=True):
    """A publish that waits: for another person's approval, or for its time. `action` is what it leads to."""

    id: str
    state: Literal["waiting", "scheduled", "published", "rejected", "cancelled", "failed"]
    author: str
    message: str
    created_at: int
    base_revision: int
    resources: list[tuple[str, str, str]] = []
    at: int = 0
    reviewer: str = ""
    decided_at: int = 0
    error: str = ""
    gray: GrayRule | None = None
    revision: int = 0
    action: Literal["publish", "gray", "gray_change", "promote"] = "publish"


class PublishOutcome(wire.Wire, frozen=True):
    """What a publish led to: a release at once, or a request that waits."""

    release: Release | None = None
    request: PublishRequest | None = None


class GrayStatus(wire.Wire, frozen=True):
    """The gray release that is running."""

    id: str
    rule: GrayRule
    revision: int
    author: str
    started_at: int
    resources: list[tuple[str, str, str]] = []
    instances: list[str] = []


class BundleStatus(wire.Wire, frozen=True):
    """Where a bundle stands."""

    bundle: resource.Bundle
    position: resource.Position
    drafts: int = 0
    resources: int = 0
    size: int = 0
    gray: GrayStatus | None = None
    requests: int = 0


class InstanceStatus(wire.Wire, frozen=True):
    """One running instance and what it holds of a bundle. `age_ms` is how long ago it said so."""

    instance: scope.Instance
    node: str
    alive: bool
    connected_at: int
    seen_at: int
    position: resource.Position = resource.NOWHERE
    digest: str = ""
    gray: str = ""
    status: str = "unknown"
    error: str = ""
    current: bool = False
    applied_at: int = 0
    age_ms: int = 0
    took_ms: float = 0.0


class Page(wire.Wire, Generic[T], frozen=True):
    """A part of a list. `next` is what to pass as `after` for the next part; empty at the end."""

    items: list[T]
    next: str = ""
