"""Scope: who and where. Tenant / environment / center / application, plus cluster and instance at run time."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from qiantang.kernel import errors, wire

_NAME_PART = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
NAME_PATTERN = rf"^{_NAME_PART}$(?!\n)"
"""Holds wherever it is searched for: `$` alone lets a line break at the end through."""
NAME_RULE = "1 to 64 of a-z, 0-9, '-', '_' and '.', beginning and ending with a letter or digit"
Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN, max_length=64, description=NAME_RULE)]
WHO_PATTERN = rf"^{_NAME_PART}(?:/{_NAME_PART})?$(?!\n)"
Who = Annotated[
    str,
    msgspec.Meta(
        pattern=WHO_PATTERN, max_length=129, description="a center, or an application of one: center/application"
    ),
]
ANY = "*"


def or_empty(pattern: str) -> str:
    """Give the pattern of what fits one, or is empty. A union of the text with an empty literal takes no empty text."""
    return rf"(?:{pattern})|(?:^$(?!\n))"


_name = re.compile(NAME_PATTERN)


def check_name(value: str, what: str) -> str:
    """Give the name back if it is one.

    Raises:
        InvalidRequestError: it is not; the detail says the rule.
    """
    if not _name.fullmatch(value):
        raise errors.InvalidRequestError(f"{what} {value[:80]!r} is not a name: {NAME_RULE}")
    return value


class Scope(wire.Wire, frozen=True, order=True):
    """One application of one center in one environment of one tenant: where governed things belong."""

    tenant: Name
    environment: Name
    center: Name
    application: Name

    def __str__(self) -> str:
        """Read as tenant/environment/center/application."""
        return f"{self.tenant}/{self.environment}/{self.center}/{self.application}"

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read what `str` wrote.

        Raises:
            InvalidRequestError: not four names with slashes between them.
        """
        parts = text.split("/")
        if len(parts) != 4:
            raise errors.InvalidRequestError(
                f"{text[:200]!r} is not a scope: write tenant/environment/center/application"
            )
        for part, what in zip(parts, ("tenant", "environment", "center", "application"), strict=True):
            check_name(part, what)
        return cls(tenant=parts[0], environment=parts[1], center=parts[2], application=parts[3])


class Instance(wire.Wire, frozen=True):
    """One running process of an application.

    `name` is stable over restarts where the operator gives one (a pod ordinal, a host name); gray releases stick to it.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    cluster: Name = "default"
    labels: dict[Annotated[str, msgspec.Meta(max_length=64)], Annotated[str, msgspec.Meta(max_length=128)]] = {}
    host: Annotated[str, msgspec.Meta(max_length=255)] = ""
    process: int = 0
    version: Annotated[str, msgspec.Meta(max_length=64)] = ""
