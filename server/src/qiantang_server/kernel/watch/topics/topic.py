"""Topic: what can be followed, as it is written, and whether somebody may follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qiantang.kernel import errors, resource, scope
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import Kinds, visibility

MAX_TOPICS = 50
_ROOMS = ("work", "bundles")


@dataclass(frozen=True, slots=True)
class Topic:
    """`work:<tenant>`, `bundles:<tenant>`, or `bundle:<tenant>/<environment>/<center>/<application>/<capability>`."""

    name: Literal["work", "bundles", "bundle"]
    tenant: str
    bundle: resource.Bundle | None = None

    def __str__(self) -> str:
        """Read as it is written."""
        if self.bundle is None:
            return f"{self.name}:{self.tenant}"
        return f"bundle:{self.bundle.scope}/{self.bundle.capability}"

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
        for room in _ROOMS:
            if name == room:
                return cls(room, scope.check_name(rest, "tenant"))
        raise errors.InvalidRequestError(f"{text[:200]!r} is no topic")

    def may_be_followed(self, principal: Principal, kinds: Kinds) -> bool:
        """Say whether the principal may follow it: whether there is such a thing plays no part, so nothing is told of that.

        Of a tenant he follows only what comes from bundles that he may read; that is asked of each event.
        """
        if self.bundle is None:
            return principal.knows(self.tenant)
        return visibility.may(principal, kinds, "read", self.bundle)


def topics_of(bundle: resource.Bundle) -> tuple[Topic, Topic, Topic]:
    """Give every topic in which something that happens to a bundle is told."""
    tenant = bundle.scope.tenant
    return Topic("bundle", tenant, bundle), Topic("bundles", tenant), Topic("work", tenant)


def wanted(text: str) -> list[str]:
    """Give the topics that a request names, each once; whether they are any is not looked at.

    Raises:
        InvalidRequestError: none, or more than a stream may follow.
    """
    named = list(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    if not 0 < len(named) <= MAX_TOPICS:
        raise errors.InvalidRequestError(
            f"name 1 to {MAX_TOPICS} topics, comma separated: work:<tenant>, bundles:<tenant> or "
            "bundle:<tenant>/<environment>/<center>/<application>/<capability>"
        )
    return named
