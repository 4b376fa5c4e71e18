"""Topic: what can be followed, as it is written, and who may follow it and hear what happens in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qiantang.kernel import errors, resource, scope
from qiantang_server.kernel.access import Principal, Target
from qiantang_server.kernel.access.target import ANY
from qiantang_server.kernel.resources import Kinds, visibility

MAX_TOPICS = 50
_ROOMS = ("work", "bundles")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}")
_WRITTEN = (
    "work:<tenant>, bundles:<tenant>, bundle:<tenant>/<environment>/<center>/<application>/<capability> or "
    "list:<tenant>/<capability>.<kind>, with * as the tenant for lists over all of them"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of some list was made, changed or deleted: its kind as permissions name it, where it stands, and who did that."""

    kind: str
    place: Target
    actor: str


Cause = resource.Bundle | Row
"""What an event comes from."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`work:<tenant>`, `bundles:<tenant>`, `bundle:<tenant>/<environment>/<center>/<application>/<capability>`, or
    `list:<tenant>/<capability>.<kind>`: the rows of one kind in a tenant, or with `*` everywhere.
    """

    name: Literal["work", "bundles", "bundle", "list"]
    tenant: str
    bundle: resource.Bundle | None = None
    kind: str = ""

    def __str__(self) -> str:
        """Read as it is written."""
        if self.bundle is not None:
            return f"bundle:{self.bundle.scope}/{self.bundle.capability}"
        return f"{self.name}:{self.tenant}" + (f"/{self.kind}" if self.kind else "")

    @classmethod
    def parse(cls, text: str) -> Topic:
        """Read what `str` wrote.

        Raises:
            InvalidRequestError: it is no topic.
        """
        name, _, rest = text.partition(":")
        if name == "bundle":
            place, _, capability = rest.rpartition("/")
            bundle = resource.Bundle.parse(f"{place}:{capability}")
            return cls("bundle", bundle.scope.tenant, bundle)
        if name == "list":
            tenant, _, kind = rest.partition("/")
            if _KIND.fullmatch(kind):
                return cls("list", tenant if tenant == ANY else scope.check_name(tenant, "tenant"), kind=kind)
        for room in _ROOMS:
            if name == room:
                return cls(room, scope.check_name(rest, "tenant"))
        raise errors.InvalidRequestError(f"{text[:200]!r} is no topic")

    def may_be_followed(self, principal: Principal, kinds: Kinds) -> bool:
        """Say whether the principal may follow it: whether there is such a thing plays no part, so nothing is told of that.

        Of a tenant, and of all, he hears only of what he may see; that is asked of each event.
        """
        if self.bundle is not None:
            return visibility.may(principal, kinds, "read", self.bundle)
        return self.tenant == ANY or principal.knows(self.tenant)


def topics_of(cause: Cause) -> tuple[Topic, ...]:
    """Give every topic in which something that happens is told, the narrowest first."""
    if isinstance(cause, Row):
        everywhere = Topic("list", ANY, kind=cause.kind)
        return (
            (everywhere,)
            if cause.place.tenant == ANY
            else (Topic("list", cause.place.tenant, kind=cause.kind), everywhere)
        )
    tenant = cause.scope.tenant
    return Topic("bundle", tenant, cause), Topic("bundles", tenant), Topic("work", tenant)


def may_hear(principal: Principal, kinds: Kinds, cause: Cause) -> bool:
    """Say whether the principal may hear of something: of a bundle that he may read, of a row that he may list or did himself."""
    if isinstance(cause, Row):
        return principal.id == cause.actor or principal.reaches(f"{cause.kind}:list", cause.place)
    return visibility.may(principal, kinds, "read", cause)


def wanted(text: str) -> list[str]:
    """Give the topics that a request names, each once; whether they are any is not looked at.

    Raises:
        InvalidRequestError: none, or more than a stream may follow.
    """
    named = list(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    if not 0 < len(named) <= MAX_TOPICS:
        raise errors.InvalidRequestError(f"name 1 to {MAX_TOPICS} topics, comma separated: {_WRITTEN}")
    return named
