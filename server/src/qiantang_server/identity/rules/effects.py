"""Effects: what a grant adds to what somebody holds without it, told by the very grants that the guard checks."""

from __future__ import annotations

from dataclasses import dataclass

from qiantang_server.kernel.access import CompiledGrants, Target

Lines = dict[Target, list[str]]


@dataclass(frozen=True, slots=True)
class Effect:
    """Permissions by place: what only the grant gives, and what is held without it, too.

    `covers`: some other grant lies wholly inside this one.
    """

    only: Lines
    also: Lines
    covers: bool


def effect(alone: CompiledGrants, without: CompiledGrants) -> Effect:
    """Compare a grant that stands alone with all the others of its user.

    Where the others hold a part of its place, the whole is what only it gives, and the part is named among what is also
    held.
    """
    only: Lines = {}
    also: Lines = {}
    for permission in sorted(alone.permissions()):
        for place in alone.patterns(permission):
            if not without.allows(permission, place):
                only.setdefault(place, []).append(permission)
            for part in _parts(without, permission, place):
                also.setdefault(part, []).append(permission)
    return Effect(only, also, any(_lies_inside(one.permissions, one.pattern, alone) for one in without.grants))


def _parts(held: CompiledGrants, permission: str, place: Target) -> set[Target]:
    return {part for part in map(place.intersection, held.patterns(permission)) if part is not None}


def _lies_inside(permissions: tuple[str, ...], pattern: Target, alone: CompiledGrants) -> bool:
    return bool(permissions) and all(alone.allows(permission, pattern) for permission in permissions)
