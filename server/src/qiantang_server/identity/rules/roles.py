"""Roles that are built in, written over whatever permissions the installed capabilities declare."""

from __future__ import annotations

from dataclasses import dataclass

PLATFORM_ADMIN = "platform-admin"
TENANT_ADMIN = "tenant-admin"

# what a bundle delivers holds secrets in plain text, so it goes with `reveal`, not with `read`
_NO_SECRETS = ("!*:reveal", "!watch.*:*")
_NO_TRAIL = ("!audit.*:*",)
_NO_PEOPLE = (
    "!identity.tenant:create",
    "!identity.tenant:update",
    *(
        f"!identity.{kind}:{verb}"
        for kind in ("environment", "center", "user", "role")
        for verb in ("create", "update", "delete")
    ),
)
_NO_IDENTITY_WRITES = tuple(f"!identity.*:{verb}" for verb in ("create", "update", "delete", "grant", "execute"))
_READ = ("*:read", "*:list")


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A role of the platform: the same in every tenant."""

    name: str
    title: str
    permissions: tuple[str, ...]


BUILT_IN = {
    role.name: role
    for role in (
        BuiltIn(PLATFORM_ADMIN, "everything, everywhere", ("*:*",)),
        BuiltIn(TENANT_ADMIN, "everything in a tenant", ("*:*",)),
        BuiltIn("app-owner", "everything about an application, and who works on it", ("*:*", *_NO_PEOPLE, *_NO_TRAIL)),
        BuiltIn(
            "developer",
            "read and edit, without publishing and without secrets in plain text",
            (*_READ, "*:create", "*:update", "*:delete", *_NO_IDENTITY_WRITES, *_NO_SECRETS, *_NO_TRAIL),
        ),
        BuiltIn(
            "publisher",
            "read, publish, roll back and approve, without editing",
            (*_READ, "*:publish", "*:rollback", "*:approve", *_NO_SECRETS, *_NO_TRAIL),
        ),
        BuiltIn(
            "operator",
            "read, run and roll back, without editing",
            (*_READ, "*:execute", "*:rollback", *_NO_IDENTITY_WRITES, *_NO_SECRETS, *_NO_TRAIL),
        ),
        BuiltIn(
            "auditor",
            "read everything but secrets, and the audit trail",
            (*_READ, "audit.*:*", *_NO_SECRETS),
        ),
        BuiltIn(
            "viewer",
            "read everything but secrets, people and the audit trail",
            (*_READ, "!identity.user:*", "!identity.grant:*", *_NO_SECRETS, *_NO_TRAIL),
        ),
    )
}

APPLICATION = ("watch.bundle:read",)
"""What an application may do in its own scope."""


def only_for_platform(role: str) -> bool:
    """Say whether a role may be given on the platform as a whole only."""
    return role == PLATFORM_ADMIN
