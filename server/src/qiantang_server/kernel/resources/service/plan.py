"""Plan: exactly which drafts are to be published, checked beforehand and proven unchanged when it is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.bodies import Bodies
from qiantang_server.kernel.resources.kinds import Kinds, ResourceKind
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.ground import Ground, Head
from qiantang_server.kernel.resources.state import Key, Manifest

Text = tuple[str, str, str, str]
"""A row for the search: kind, name, path, text."""


class InvalidDraftsError(errors.InvalidRequestError):
    """Drafts that may not be published as they are; `facts.problems` lists all with their resources."""

    code = "resource.invalid_drafts"


class PlanLine(wire.Wire, frozen=True):
    """One draft of a plan: its content, its version, and the content that it replaces."""

    kind: str
    name: str
    digest: str
    version: int
    base: str
    author: str

    @property
    def key(self) -> Key:
        """Kind and name."""
        return (self.kind, self.name)

    @property
    def action(self) -> str:
        """Say what the line does."""
        if not self.digest:
            return "remove"
        return "change" if self.base else "add"


class Plan(wire.Wire, frozen=True):
    """Drafts to publish together, to everyone or by the gray rule; or what is to become of the running gray release, whose
    content is then proven by its id and the revision that brought it.
    """

    lines: list[PlanLine]
    gray: release.GrayRule | None = None
    act: Literal["publish", "gray_change", "promote"] = "publish"
    gray_id: str = ""
    gray_revision: int = 0

    @property
    def action(self) -> Literal["publish", "gray", "gray_change", "promote"]:
        """Say what carrying it out leads to."""
        if self.act == "publish" and self.gray is not None:
            return "gray"
        return self.act

    def changed(self) -> list[tuple[str, str, str]]:
        """List (kind, name, action)."""
        return [(line.kind, line.name, line.action) for line in self.lines]


@dataclass(slots=True)
class Prepared:
    """A plan with what the checks found on the way: stored bodies, problems, and rows for the search."""

    plan: Plan
    head: Head
    bodies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    problems: list[release.LocatedProblem] = field(default_factory=list[release.LocatedProblem])
    texts: list[Text] = field(default_factory=list[Text])

    def require_valid(self) -> None:
        """Pass where nothing is wrong.

        Raises:
            InvalidDraftsError: something is; every problem is listed.
        """
        if self.problems:
            raise invalid(self.problems)


def invalid(problems: Sequence[release.LocatedProblem]) -> InvalidDraftsError:
    """Give the error that lists what is wrong."""
    return InvalidDraftsError(
        f"{len(problems)} problem(s) in the drafts; nothing was published",
        problems=[
            errors.Problem(
                f"{found.message}", f"{found.kind} {found.name} {found.path}".strip(), found.line, found.column
            )
            for found in problems
        ],
        facts={"problems": wire.builtins(problems)},
    )


async def prepare(
    parts: Ground,
    bundle: resource.Bundle,
    *,
    only: Sequence[Key] | None = None,
    gray: release.GrayRule | None = None,
) -> Prepared:
    """Read the drafts of a bundle, check each whole, and give the plan to publish them."""
    async with parts.database.reading() as session:
        current = await ground.head(session, bundle)
        rows = await store.list_drafts(session, current.key, only)
        replaced = await _replaced(session, parts.kinds, bundle, current, rows)
    if only is not None:
        _require_all(bundle, only, rows)
    lines = [
        PlanLine(
            kind=row.kind,
            name=row.name,
            digest="" if row.removes else row.digest,
            version=row.version,
            base=current.manifest.get((row.kind, row.name), ""),
            author=row.author,
        )
        for row in rows
    ]
    prepared = Prepared(Plan(lines=lines, gray=gray), current)
    bodies = parts.bodies(bundle)
    await bodies.ready()
    drafted = {(row.kind, row.name): None if row.removes else bytes(row.body) for row in rows}
    before, after = ({key: _opened(bodies, key, body) for key, body in some.items()} for some in (replaced, drafted))
    # rules are pure and may take long on a large body: they must not hold up the loop
    await asyncio.to_thread(_check_all, parts.kinds.of(bundle.capability), before, after, prepared)
    prepared.bodies = {row.digest: bytes(row.body) for row in rows if not row.removes}
    return prepared


def _require_all(bundle: resource.Bundle, only: Sequence[Key], rows: Iterable[store.Row]) -> None:
    missing = sorted(set(only) - {(row.kind, row.name) for row in rows})
    if missing:
        names = ", ".join(f"{kind} {name}" for kind, name in missing)
        raise errors.NotFoundError(f"{bundle} has no draft of {names}: nothing was published")


async def _replaced(
    session: storage.Session, kinds: Kinds, bundle: resource.Bundle, current: Head, rows: Iterable[store.Row]
) -> dict[Key, bytes]:
    """Give what drafts would replace, of those kinds that mind it."""
    manifest = current.manifest
    keys = [
        (row.kind, row.name)
        for row in rows
        if (row.kind, row.name) in manifest and kinds.get(bundle.capability, row.kind).minds_changes
    ]
    contents = await store.read_contents(session, current.key, [manifest[key] for key in keys]) if keys else {}
    return {key: contents[manifest[key]] for key in keys}


def _opened(bodies: Bodies, key: Key, body: bytes | None) -> Any:
    return None if body is None else bodies.opened(*key, body)


def _check_all(
    kinds: Sequence[ResourceKind], before: Mapping[Key, Any], after: Mapping[Key, Any], prepared: Prepared
) -> None:
    by_name = {kind.name: kind for kind in kinds}
    for (kind_name, name), body in after.items():
        kind = by_name[kind_name]
        found = [] if body is None else kind.checked(name, body)
        if not found:  # of a body that is wrong in itself nothing more can be said
            found = kind.check_change(name, before.get((kind_name, name)), body)
        prepared.problems += [
            release.LocatedProblem(
                kind=kind_name, name=name, message=one.message, path=one.path, line=one.line, column=one.column
            )
            for one in found
        ]
        if not found and body is not None:
            prepared.texts += [(kind_name, name, path, text) for path, text in kind.texts(body)]


def require_unchanged(bundle: resource.Bundle, plan: Plan, rows: Iterable[store.Row], manifest: Manifest) -> None:
    """Pass where every draft of the plan is still the one that was checked, over the content that it was made over.

    Raises:
        StaleRevisionError: a draft was edited, or the resource was published by another; names which.
    """
    versions = {(row.kind, row.name): row.version for row in rows}
    for line in plan.lines:
        if versions.get(line.key) != line.version:
            raise errors.StaleRevisionError(
                f"the draft of {line.kind} {line.name!r} in {bundle} was changed after it was checked: look at it again"
            )
    require_base(bundle, plan, manifest)


def require_base(bundle: resource.Bundle, plan: Plan, manifest: Manifest) -> None:
    """Pass where every resource of the plan still has the content that the plan was made over.

    Raises:
        StaleRevisionError: it was published by another; names which.
    """
    for line in plan.lines:
        if manifest.get(line.key, "") != line.base:
            raise errors.StaleRevisionError(
                f"{line.kind} {line.name!r} in {bundle} was published by someone else meanwhile: compare, then try again"
            )


async def links_of(
    session: storage.Session,
    parts: Ground,
    bundle: resource.Bundle,
    key: int,
    manifest: Manifest,
    *,
    fresh: Mapping[str, bytes] = MappingProxyType({}),
) -> list[tuple[str, str]]:
    """Collect the (center, application) pairs that a manifest's resources link to, and keep to the bundle's limits.

    `fresh` are contents at hand, by digest.

    Raises:
        TooLargeError: more resources, or more bytes, than the kinds allow in one bundle.
        InvalidDraftsError: a resource refers to one that is not there, and there is no link to who may have it.
    """
    found: set[tuple[str, str]] = set()
    sizes: dict[str, tuple[int, int]] = {}
    facts = await parts.facts.of(session, bundle.capability, key, manifest, fresh)
    for (kind_name, _name), fact in facts:
        count, size = sizes.get(kind_name, (0, 0))
        sizes[kind_name] = (count + 1, size + fact.size)
        found.update(fact.links)
    for kind_name, (count, size) in sizes.items():
        limits = parts.kinds.get(bundle.capability, kind_name).limits
        if count > limits.bundle_count or size > limits.bundle_bytes:
            raise errors.TooLargeError(
                f"{bundle} would hold {count:,} {kind_name}s of {size:,} bytes; "
                f"the limit for one application is {limits.bundle_count:,} and {limits.bundle_bytes:,} bytes"
            )
    own = (bundle.scope.center, bundle.scope.application)
    linked = sorted(found - {own})
    missing = [] if linked else [(one, other) for one, fact in facts for other in fact.refers if other not in manifest]
    if missing:
        raise invalid(
            [
                release.LocatedProblem(
                    kind=kind, name=name, message=f"there is no {other[0]} {other[1]!r}, which it names"
                )
                for (kind, name), other in missing
            ]
        )
    return linked
