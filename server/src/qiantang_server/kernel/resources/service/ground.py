"""Ground: what every use case of the resource life stands on, and the reading of a bundle that they share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal, Target
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.bodies import Bodies, SecretKeeper
from qiantang_server.kernel.resources.directory import ApplicationDirectory, EveryApplication
from qiantang_server.kernel.resources.facts import Facts
from qiantang_server.kernel.resources.kinds import Kinds
from qiantang_server.kernel.resources.state import Manifest, State

EMPTY = State()
ASIDE_FROM = 32 << 10
T = TypeVar("T")


def wall_clock() -> int:
    """Give this server's clock in milliseconds: for what people read, never for leases."""
    return time.time_ns() // 1_000_000


async def database_clock(session: storage.Session) -> int:
    """Give the clock that all servers share, in milliseconds: for what happens at a time."""
    return await session.now()


@dataclass(frozen=True, slots=True)
class Published:
    """A new position of a bundle, just made durable; `notice` is its row in the outbox, `contents` what it brought, by digest."""

    bundle: resource.Bundle
    key: int
    position: resource.Position
    state: State
    notice: int
    release: release.Release
    contents: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True)
class Edited:
    """Something of a bundle that is no release was just made durable: a draft, or what became of a request to publish."""

    bundle: resource.Bundle
    what: Literal["draft", "request"]


def _nobody(_fact: Any) -> None:
    """Tell nobody."""


@dataclass(slots=True, kw_only=True)
class Ground:
    """Parts that the use cases share. `published` hears of each new position once it is durable, `edited` of the rest."""

    database: storage.Database
    kinds: Kinds
    keeper: SecretKeeper
    directory: ApplicationDirectory = field(default_factory=EveryApplication)
    clock: Callable[[], int] = wall_clock
    shared_clock: Callable[[storage.Session], Awaitable[int]] = database_clock
    published: Callable[[Published], None] = _nobody
    edited: Callable[[Edited], None] = _nobody
    facts: Facts = field(init=False)

    def __post_init__(self) -> None:
        """Begin knowing nothing."""
        self.facts = Facts(self.kinds)

    def tell(self, session: storage.Session, bundle: resource.Bundle, what: Literal["draft", "request"]) -> None:
        """Have it told, once the transaction is durable, that drafts or requests of a bundle changed."""
        session.after_commit(lambda: self.edited(Edited(bundle, what)))

    def bodies(self, bundle: resource.Bundle) -> Bodies:
        """Give what seals and opens the bundle's bodies."""
        return Bodies(self.keeper, bundle)


@dataclass(frozen=True, slots=True)
class Head:
    """A bundle as it stands: its row's key (0 where there is none yet), position and state."""

    key: int
    position: resource.Position
    state: State

    @property
    def manifest(self) -> Manifest:
        """Digests of what everyone receives."""
        return self.state.manifest()


async def aside(size: int, call: Callable[..., T], *arguments: Any) -> T:
    """Call a pure function of a kind; on a thread of its own where its input is so large that it would hold up the loop."""
    return await asyncio.to_thread(call, *arguments) if size > ASIDE_FROM else call(*arguments)


async def head(session: storage.Session, bundle: resource.Bundle) -> Head:
    """Read where a bundle stands."""
    row = await store.find_bundle(session, bundle)
    return Head(0, resource.NOWHERE, EMPTY) if row is None else await head_of(session, row)


async def head_of(session: storage.Session, row: store.Row, known: Head | None = None) -> Head:
    """Read the state that a bundle's row points to; one that is `known` at this very position is not read again."""
    position = resource.Position(epoch=row.epoch, revision=row.revision)
    if known is not None and (known.key, known.position) == (row.id, position):
        return known
    return Head(row.id, position, await state_at(session, row.id, row.revision))


async def state_at(session: storage.Session, key: int, revision: int) -> State:
    """Read the state of a revision; revision 0 is empty.

    Raises:
        NotFoundError: there is no such revision.
    """
    if revision == 0:
        return EMPTY
    row = await store.read_release(session, key, revision)
    if row is None:
        raise errors.NotFoundError(f"there is no revision {revision}: it never was, or is older than what is kept")
    return wire.decode(bytes(row.state), State)


def require_revision(bundle: resource.Bundle, current: resource.Position, expected: int) -> None:
    """Pass where nobody published since the caller looked.

    Raises:
        StaleRevisionError: somebody did; `facts.revision` is the one to look at now.
    """
    if current.revision != expected:
        raise errors.StaleRevisionError(
            f"{bundle} is at revision {current.revision}, not at {expected} as you expected: "
            "look at what was published since, then try again",
            facts={"revision": current.revision, "epoch": current.epoch},
        )


async def body_of(session: storage.Session, key: int, digest: str | None) -> bytes | None:
    """Read one content; None for no digest.

    Raises:
        InternalError: the digest is in a manifest and its content is not there.
    """
    if not digest:
        return None
    found = await store.read_contents(session, key, [digest])
    if digest not in found:
        raise errors.InternalError(f"the content {digest[:12]} is missing from the database")
    return found[digest]


def event(
    principal: Principal, bundle: resource.Bundle, permission: str, name: str, **details: Any
) -> audit.AuditEvent:
    """Give the audit event of something done to a bundle or to a resource in it."""
    place = Target.of(bundle.scope)
    return audit.AuditEvent.by(principal, permission, place, resource=f"{bundle.capability}/{name}", **details)


def permission(bundle: resource.Bundle, kinds: Kinds, verb: str) -> str:
    """Name the permission for a verb on a whole bundle: that of its first kind."""
    return kinds.of_bundle(bundle.capability, verb)


def changes_view(changes: Iterable[resource.Change]) -> list[dict[str, Any]]:
    """Give changes as plain values for an audit row."""
    return [wire.builtins(change) for change in changes]


def release_view(row: Any) -> release.Release:
    """Give a release row as it crosses the wire."""
    return release.Release(
        revision=row.revision,
        epoch=row.epoch,
        action=row.action,
        author=row.author,
        message=row.message,
        created_at=row.created_at,
        approved_by=row.approved_by,
        gray=row.gray,
        from_revision=row.from_revision,
        changed=wire.decode(bytes(row.changed), list[tuple[str, str, str]]),
    )
