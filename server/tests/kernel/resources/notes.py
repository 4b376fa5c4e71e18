"""A tiny kind, all that a new capability has to write: a schema, rules and a meaning. And the life around it for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from qiantang.kernel import errors, release, resource, scope, secret
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.resources import Ground, Kinds, Limits, ResourceKind, Resources


class Note(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    password: str | secret.Secret = ""
    shared: bool = False
    cites: str = ""
    after: str = ""
    pinned: bool = False


def check(_name: str, body: Any) -> list[errors.Problem]:
    return [errors.Problem("a note says something", "text")] if not body["text"].strip() else []


def check_change(_name: str, before: Any, after: Any) -> list[errors.Problem]:
    if before is None or not before.get("pinned"):
        return []
    if after is None:
        return [errors.Problem("a pinned note is not removed")]
    kept = before["text"] == after["text"] and before.get("password") == after.get("password")
    return [] if kept else [errors.Problem("a pinned note says what it said", "text")]


def cites(body: Any) -> list[tuple[str, str]]:
    center, _, application = body.get("cites", "").partition("/")
    return [(center, application)] if application else []


NOTE = ResourceKind(
    capability="test",
    name="note",
    plural="notes",
    title="notes",
    model=Note,
    limits=Limits(resource_bytes=4000, bundle_bytes=20_000, bundle_count=12),
    check=check,
    check_change=check_change,
    deliver=lambda body: {"text": body["text"]},
    is_public=lambda body: bool(body.get("shared")),
    links=cites,
    refers=lambda body: [("note", body["after"])] if body.get("after") else [],
    texts=lambda body: [("text", body["text"])],
)

BUNDLE = resource.Bundle(scope=scope.Scope.parse("acme/dev/trade/order"), capability="test")
KINDS = Kinds([NOTE])
EVERYONE = access.Permissions(KINDS.permissions())


class Keeper:
    """Seals by turning around: enough to see where a secret goes."""

    async def ready(self, tenant: str) -> None:
        pass

    def seal(self, tenant: str, plaintext: bytes, context: str) -> str:
        return f"{tenant}|{context}|{plaintext.decode()[::-1]}"

    def open(self, tenant: str, sealed: str, context: str) -> bytes:
        place = f"{tenant}|{context}|"
        if not sealed.startswith(place):
            raise errors.InternalError("sealed for another place")
        return sealed[len(place) :][::-1].encode()

    def mask(self, tenant: str, value: str) -> str:
        return resource.content_digest(f"{tenant}{value}".encode())[:8]


class Directory:
    """Applications exist; whether they need approval is set by the test."""

    def __init__(self) -> None:
        self.protected = False
        self.barred: set[str] = set()

    async def require_application(self, session: storage.Session, place: scope.Scope) -> None:
        pass

    async def needs_approval(self, session: storage.Session, place: scope.Scope) -> bool:
        return self.protected

    async def may(self, session: storage.Session, user: str, permission: str, place: scope.Scope) -> bool:
        return user not in self.barred


class Life:
    """The resource life over a database, with a clock that the test moves."""

    def __init__(self, database: storage.Database) -> None:
        self.now = 1_000_000
        self.heard: list[Any] = []
        self.directory = Directory()
        self.parts = Ground(
            database=database,
            kinds=KINDS,
            keeper=Keeper(),
            directory=self.directory,
            clock=lambda: self.now,
            shared_clock=self._now,
            published=self.heard.append,
        )
        self.resources = Resources(self.parts)

    async def _now(self, _session: storage.Session) -> int:
        return self.now

    async def edit(self, who: access.Principal, name: str, text: str, **more: Any) -> release.ResourceDetail:
        return await self.resources.drafts.save(who, BUNDLE, "note", name, {"text": text, **more}, expected="*")

    async def publish(self, who: access.Principal, expected: int, **more: Any) -> release.PublishOutcome:
        command = release.PublishCommand(expected_revision=expected, **more)
        return await self.resources.publishing.publish(who, BUNDLE, command)

    async def revision(self) -> int:
        return (await self.resources.history.status(BUNDLE)).position.revision

    async def texts(self) -> dict[str, str]:
        """What everyone receives now."""
        detail = await self.resources.history.read(BUNDLE, await self.revision())
        return {one.name: one.body["text"] for one in detail.resources}


def user(name: str) -> access.Principal:
    grants = access.CompiledGrants([access.Grant(("*:*",), access.PLATFORM, role="all")], EVERYONE)
    return access.Principal(kind="user", id=name, name=name, grants=grants)
