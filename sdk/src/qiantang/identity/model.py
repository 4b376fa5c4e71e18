"""Nouns of identity on the wire: estate, people, roles and grants, sessions, credentials and tokens.

Moments are milliseconds since 1970 UTC; 0 stands for never.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qiantang.kernel import scope, wire
from qiantang.kernel.release import Page as Page

Title = Annotated[str, msgspec.Meta(max_length=128)]
Reason = Annotated[str, msgspec.Meta(max_length=500)]
Password = Annotated[str, msgspec.Meta(max_length=256)]
Pattern = Annotated[
    str,
    msgspec.Meta(
        max_length=260, description="tenant/environment/center/application, '*' for any, the end left out is '*'"
    ),
]
PermissionLine = Annotated[str, msgspec.Meta(max_length=128)]
PermissionLines = Annotated[list[PermissionLine], msgspec.Meta(min_length=1, max_length=200)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]


# the estate


class Tenant(wire.Wire, frozen=True):
    """A customer or a company: nothing of one is seen by another. Disabled, nobody of it gets in."""

    name: str
    title: str
    disabled: bool
    created_at: int


class NewTenant(wire.Command, frozen=True):
    """Make a tenant."""

    name: scope.Name
    title: Title = ""


class TenantChange(wire.Command, frozen=True):
    """Change a tenant; what is left out stays."""

    title: Title | None = None
    disabled: bool | None = None


class Environment(wire.Wire, frozen=True):
    """A stage of a tenant. In a protected one a second person approves each publish."""

    tenant: str
    name: str
    title: str
    protected: bool
    created_at: int


class NewEnvironment(wire.Command, frozen=True):
    """Make an environment."""

    name: scope.Name
    title: Title = ""
    protected: bool = False


class EnvironmentChange(wire.Command, frozen=True):
    """Change an environment; what is left out stays."""

    title: Title | None = None
    protected: bool | None = None


class Center(wire.Wire, frozen=True):
    """A business center of a tenant: what applications belong to."""

    tenant: str
    name: str
    title: str
    created_at: int


class NewCenter(wire.Command, frozen=True):
    """Make a center."""

    name: scope.Name
    title: Title = ""


class CenterChange(wire.Command, frozen=True):
    """Change a center."""

    title: Title


class Application(wire.Wire, frozen=True):
    """An application of a center; it exists in every environment of its tenant. `owner` is a user's id, or empty."""

    tenant: str
    center: str
    name: str
    title: str
    owner: str
    created_at: int


class NewApplication(wire.Command, frozen=True):
    """Make an application."""

    name: scope.Name
    title: Title = ""
    owner: Annotated[str, msgspec.Meta(max_length=32)] = ""


class ApplicationChange(wire.Command, frozen=True):
    """Change an application; what is left out stays."""

    title: Title | None = None
    owner: Annotated[str, msgspec.Meta(max_length=32)] | None = None


# people, roles, grants


class User(wire.Wire, frozen=True):
    """A person with an account. `tenant` is empty for one of the platform itself."""

    id: str
    tenant: str
    name: str
    title: str
    disabled: bool
    created_at: int
    signed_in_at: int = 0


class NewUser(wire.Command, frozen=True):
    """Make a user; the password is his first one."""

    name: scope.Name
    password: Password
    title: Title = ""

    def __repr__(self) -> str:
        """Never show the password."""
        return f"NewUser(name={self.name!r})"


class UserChange(wire.Command, frozen=True):
    """Change a user; what is left out stays. A new password ends all his sessions."""

    title: Title | None = None
    disabled: bool | None = None
    password: Password | None = None

    def __repr__(self) -> str:
        """Never show the password."""
        return f"UserChange(title={self.title!r}, disabled={self.disabled})"


class Permission(wire.Wire, frozen=True):
    """Something that can be permitted, `<capability>.<kind>:<verb>`, and what it lets one do."""

    name: str
    meaning: str


class Role(wire.Wire, frozen=True):
    """A named set of permissions. `tenant` is empty for one that is built in."""

    name: str
    tenant: str
    title: str
    permissions: list[str]


class NewRole(wire.Command, frozen=True):
    """Make a role of a tenant."""

    name: scope.Name
    permissions: PermissionLines
    title: Title = ""


class RoleChange(wire.Command, frozen=True):
    """Change a role; what is left out stays."""

    permissions: PermissionLines | None = None
    title: Title | None = None


class RoleGrant(wire.Wire, frozen=True):
    """A user holds a role in the places of a pattern, from and until the moments given."""

    id: str
    user: str
    user_name: str
    role: str
    pattern: str
    not_before: int
    expires: int
    granted_by: str
    reason: str
    created_at: int


class NewGrant(wire.Command, frozen=True):
    """Give a user a role."""

    user: Annotated[str, msgspec.Meta(max_length=32)]
    role: scope.Name
    pattern: Pattern
    not_before: Moment = 0
    expires: Moment = 0
    reason: Reason = ""


class AccessQuestion(wire.Command, frozen=True):
    """Ask why somebody may do something, or may not."""

    permission: PermissionLine
    pattern: Pattern


class AccessPath(wire.Wire, frozen=True):
    """The grant behind an answer: which role where, who gave it, until when (0: for good); `lacks` names what was missing.

    `grant` is empty for what nobody granted: an application holds its own scope.
    """

    role: str
    pattern: str
    grant: str = ""
    granted_by: str = ""
    expires: int = 0
    lacks: Literal["", "scope", "permission"] = ""


class AccessAnswer(wire.Wire, frozen=True):
    """Whether it is allowed, by which grant (`path`), or which came nearest (`near`); in words and as data."""

    allowed: bool
    explanation: str
    misses: list[str] = []
    path: AccessPath | None = None
    near: list[AccessPath] = []


class EffectLine(wire.Wire, frozen=True):
    """Permissions in the places of a pattern."""

    pattern: str
    permissions: list[str]


class GrantEffect(wire.Wire, frozen=True):
    """What a grant would change in what its user may do, were it given (`gained`) or taken back (`lost`).

    `already` is what he holds of it without this grant. `replaces_nothing`: no other grant of his lies wholly inside it.
    """

    gained: list[EffectLine]
    lost: list[EffectLine]
    already: list[EffectLine]
    replaces_nothing: bool


# signing in


class FirstStart(wire.Command, frozen=True):
    """Make the first platform administrator, with the token that the first start printed."""

    token: Annotated[str, msgspec.Meta(max_length=128)]
    name: scope.Name
    password: Password
    title: Title = ""

    def __repr__(self) -> str:
        """Never show token and password."""
        return f"FirstStart(name={self.name!r})"


class SignIn(wire.Command, frozen=True):
    """Sign in with a password; `tenant` is empty for a user of the platform."""

    name: Annotated[str, msgspec.Meta(max_length=64)]
    password: Password
    tenant: Annotated[str, msgspec.Meta(max_length=64)] = ""

    def __repr__(self) -> str:
        """Never show the password."""
        return f"SignIn(tenant={self.tenant!r}, name={self.name!r})"


class PasswordChange(wire.Command, frozen=True):
    """Change the own password; ends all other sessions."""

    current: Password
    new: Password

    def __repr__(self) -> str:
        """Never show the passwords."""
        return "PasswordChange()"


class HeldRole(wire.Wire, frozen=True):
    """What somebody holds where: the permissions in full."""

    role: str
    pattern: str
    permissions: list[str]


class Me(wire.Wire, frozen=True):
    """Who asks, and all that he may do."""

    kind: str
    id: str
    name: str
    tenant: str
    via: str
    roles: list[HeldRole]


class SessionInfo(wire.Wire, frozen=True):
    """A browser that is signed in; `current` is the one that asks."""

    id: str
    created_at: int
    seen_at: int
    expires_at: int
    address: str
    agent: str
    current: bool


# proof of applications and programs


class Credential(wire.Wire, frozen=True):
    """What an application proves itself with in one environment, without its secret."""

    id: str
    title: str
    active: bool
    created_at: int
    created_by: str
    expires_at: int
    revoked_at: int
    last_used_at: int


class NewCredential(wire.Command, frozen=True):
    """Make a credential."""

    title: Title = ""
    expires_at: Moment = 0


class RotateCredential(wire.Command, frozen=True):
    """Make a new credential in a given one's place, which stays good for as long as the change takes."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=30 * 24 * 3600)] = 24 * 3600


class IssuedCredential(wire.Wire, frozen=True):
    """A new credential with its secret, which is shown this once."""

    id: str
    secret: str
    scope: scope.Scope
    expires_at: int

    def __repr__(self) -> str:
        """Never show the secret."""
        return f"IssuedCredential(id={self.id!r}, scope={self.scope})"


class AccessToken(wire.Wire, frozen=True):
    """A person's token for his programs: never more than he may himself, and less where it says so."""

    id: str
    name: str
    permissions: list[str]
    pattern: str
    created_at: int
    expires_at: int
    last_used_at: int


class NewAccessToken(wire.Command, frozen=True):
    """Make a token for the own programs."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    lifetime_days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    permissions: PermissionLines = msgspec.field(default_factory=lambda: ["*:*"])
    pattern: Pattern = "*"


class IssuedAccessToken(wire.Wire, frozen=True):
    """A new token, which is shown this once."""

    token: str
    info: AccessToken

    def __repr__(self) -> str:
        """Never show the token."""
        return f"IssuedAccessToken(info={self.info!r})"
