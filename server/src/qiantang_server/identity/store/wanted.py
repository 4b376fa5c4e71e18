"""Wanted: which grants of a list are asked for, as conditions in SQL."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from qiantang_server.identity.rules.wanted import Level, State, WantedGrants
from qiantang_server.identity.store import tables
from qiantang_server.kernel.access.target import ANY
from qiantang_server.kernel.storage.words import holding

grants, users = tables.grants.c, tables.users.c
_PARTS = (grants.tenant, grants.environment, grants.center, grants.application)
_LEVELS: tuple[Level, ...] = ("tenant", "environment", "center", "application")


def conditions(wanted: WantedGrants, now: int) -> list[sa.ColumnElement[bool]]:
    """Give the filters in SQL, on grants joined with their users; `now` in milliseconds."""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.user:
        found.append(sa.or_(grants.user_id == wanted.user, users.name == wanted.user))
    if wanted.role:
        found.append(grants.role == wanted.role)
    if wanted.level:
        found.append(_named_to(wanted.level))
    if wanted.state:
        found.append(_stands(wanted.state, now))
    if wanted.words:
        shown = (users.name, grants.role, grants.granted_by, grants.reason)
        found.append(sa.or_(holding(wanted.words, *shown), grants.id == wanted.words))
    return found + _within(wanted.place.strip("/").split("/"))


def _within(parts: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    if len(parts) == 1 and parts[0] != ANY:
        begins = [column.startswith(parts[0], autoescape=True) for column in _PARTS]
        return [sa.or_(*begins)] if parts[0] else []
    if len(parts) > len(_PARTS):
        return [sa.false()]
    *named, last = zip(_PARTS, parts, strict=False)
    found = [column == part for column, part in named if part not in {"", ANY}]
    column, part = last
    return [*found, column == ANY if part == ANY else column.startswith(part, autoescape=True)]


def _named_to(level: Level) -> sa.ColumnElement[bool]:
    if level == "platform":
        return grants.tenant == ANY
    last = _LEVELS.index(level)
    return sa.and_(_PARTS[last] != ANY, *(column == ANY for column in _PARTS[last + 1 :]))


def _stands(state: State, now: int) -> sa.ColumnElement[bool]:
    over = sa.and_(grants.expires != 0, grants.expires <= now)
    if state == "over":
        return over
    if state == "ending":
        return grants.expires > now
    return sa.and_(~over, grants.not_before > now if state == "later" else grants.not_before <= now)
