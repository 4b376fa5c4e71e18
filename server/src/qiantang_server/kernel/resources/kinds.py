"""Kinds: what a capability declares of a governed thing. Its schema, rules and meaning; the life is the kernel's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from qiantang.kernel import errors, resource, scope, wire
from qiantang.kernel.errors import Problem


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes and counts that a kind's resources keep to."""

    resource_bytes: int = 1 << 20
    bundle_bytes: int = 16 << 20
    bundle_count: int = 2000


def _no_problems(_name: str, _body: Any) -> list[Problem]:
    return []


def _any_change(_name: str, _before: Any, _after: Any) -> list[Problem]:
    return []


def _same(body: Any) -> Any:
    return body


def _never(_body: Any) -> bool:
    return False


def _no_links(_body: Any) -> Sequence[tuple[str, str]]:
    return ()


def _no_references(_body: Any) -> Sequence[tuple[str, str]]:
    return ()


def _no_texts(_body: Any) -> Iterable[tuple[str, str]]:
    return ()


def _any_name(name: str) -> None:
    scope.check_name(name, "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceKind:
    """One kind of governed thing. Every callable is pure; bodies are built-in JSON values with their secrets opened.

    model: shape of the body (a msgspec struct that forbids unknown fields).
    check: every problem of a body under a name, beyond its shape; the messages never hold a secret's value.
    check_change: every problem of putting a body in the place of the published one, either of which may be None: nothing was
        published yet, or it is to be removed. Asked beside `check`, of what a draft would publish over what everyone has.
    deliver: what an instance receives of a body.
    is_public: whether applications that link to this one receive it too.
    links: (center, application) pairs in the same tenant and environment whose public resources instances need as well.
    refers: (kind, name) pairs of resources that must be in the same bundle, unless it links to another, which may have them.
    texts: (path, text) pairs for the search; without secrets.
    differences: changes between two bodies with masked secrets, either of which may be None.
    """

    capability: str
    name: str
    plural: str
    title: str
    model: type[msgspec.Struct]
    limits: Limits = field(default_factory=Limits)
    check_name: Callable[[str], None] = _any_name
    check: Callable[[str, Any], list[Problem]] = _no_problems
    check_change: Callable[[str, Any, Any], list[Problem]] = _any_change
    deliver: Callable[[Any], Any] = _same
    is_public: Callable[[Any], bool] = _never
    links: Callable[[Any], Sequence[tuple[str, str]]] = _no_links
    refers: Callable[[Any], Sequence[tuple[str, str]]] = _no_references
    texts: Callable[[Any], Iterable[tuple[str, str]]] = _no_texts
    differences: Callable[[Any, Any], list[resource.Change]] = resource.differences

    def permission(self, verb: str) -> str:
        """Name the permission for a verb on this kind."""
        return f"{self.capability}.{self.name}:{verb}"

    def checked(self, name: str, body: Any) -> list[Problem]:
        """List every problem of a body: its shape first, then the kind's own rules."""
        try:
            wire.convert(body, self.model)
        except errors.InvalidRequestError as error:
            return [Problem(message=error.detail)]
        return self.check(name, body)

    @property
    def minds_changes(self) -> bool:
        """Say whether what is published matters to a check."""
        return self.check_change is not _any_change


VERBS = {
    "read": "see {plural} with their secrets masked",
    "update": "edit drafts of {plural}",
    "publish": "publish and gray {plural}",
    "rollback": "publish an earlier revision of {plural} again",
    "approve": "approve or reject another person's request to publish {plural}",
    "reveal": "see the secrets of {plural} in plain text",
}

OF_BUNDLES = frozenset({"publish", "rollback", "approve"})
"""What is done to a bundle as a whole, by the permission of its capability's first kind."""


class Kinds:
    """All kinds of all capabilities, found by capability and name; `titles` are those of the capabilities."""

    def __init__(self, kinds: Iterable[ResourceKind], titles: Mapping[str, str] | None = None) -> None:
        self._titles = titles or {}
        self._kinds: dict[tuple[str, str], ResourceKind] = {}
        for kind in kinds:
            key = (kind.capability, kind.name)
            if key in self._kinds:
                raise errors.MisconfiguredError(f"the kind {kind.capability}.{kind.name} is declared twice")
            self._kinds[key] = kind
        self._capabilities = tuple(sorted({capability for capability, _ in self._kinds}))

    def get(self, capability: str, name: str) -> ResourceKind:
        """Find a kind.

        Raises:
            NotFoundError: no capability declares it.
        """
        kind = self._kinds.get((capability, name))
        if kind is None:
            raise errors.NotFoundError(f"there is no kind {name!r} in {capability!r}")
        return kind

    def of(self, capability: str) -> list[ResourceKind]:
        """Give the kinds of a capability, in order of name."""
        return [kind for key, kind in sorted(self._kinds.items()) if key[0] == capability]

    def capabilities(self) -> tuple[str, ...]:
        """Name the capabilities that have kinds."""
        return self._capabilities

    def title(self, capability: str) -> str:
        """Give what a capability is called."""
        return self._titles.get(capability, "")

    def of_bundle(self, capability: str, verb: str) -> str:
        """Name the permission for a verb on a whole bundle: that of its capability's first kind."""
        return self.of(capability)[0].permission(verb)

    def permission(self, kind: ResourceKind, verb: str) -> str:
        """Name the permission for a verb on a kind, which is that of its bundle where the verb is of bundles."""
        return self.of_bundle(kind.capability, verb) if verb in OF_BUNDLES else kind.permission(verb)

    def require(self, capability: str) -> None:
        """Pass where a capability has kinds.

        Raises:
            NotFoundError: it has none, or there is no such capability.
        """
        if capability not in self._capabilities:
            raise errors.NotFoundError(f"there is no capability {capability[:64]!r} on this server")

    def permissions(self) -> dict[str, str]:
        """Give every permission of every kind with its meaning."""
        found: dict[str, str] = {}
        for kind in self._kinds.values():
            for verb, meaning in VERBS.items():
                about = self.of(kind.capability) if verb in OF_BUNDLES else [kind]
                found[self.permission(kind, verb)] = meaning.format(plural=", ".join(one.title for one in about))
        return found
