"""Requests: publishes that wait for a second person or for their time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground, plan
from qiantang_server.kernel.resources.service.ground import Ground
from qiantang_server.kernel.resources.service.plan import Plan
from qiantang_server.kernel.resources.service.publishing import Order, Publishing

log = logging.getLogger(__name__)
OPEN = ("waiting", "scheduled")
STATES = ("waiting", "scheduled", "published", "rejected", "cancelled", "failed")


class SelfApprovalError(errors.ForbiddenError):
    """Four eyes are needed, and these are the two that wrote it."""

    code = "resource.self_approval"


class Requests:
    """Lists, decides and carries out requests to publish."""

    def __init__(self, parts: Ground, publishing: Publishing) -> None:
        self._parts = parts
        self._publishing = publishing

    async def list_requests(
        self, bundle: resource.Bundle, states: Sequence[str] = OPEN, limit: int = 100
    ) -> list[release.PublishRequest]:
        """Give requests of a bundle, newest first."""
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            rows = await store.list_requests(session, head.key, states, limit)
        return [_view(row) for row in rows]

    async def decide(
        self,
        principal: Principal,
        bundle: resource.Bundle,
        request: str,
        decision: Literal["approve", "reject", "cancel"],
        message: str = "",
    ) -> release.PublishRequest:
        """Approve, reject or cancel a request. An approved one is published at once, or at its time.

        Raises:
            NotFoundError: there is no such request in the bundle.
            ConflictError: it was decided already.
            SelfApprovalError: the approver asked for it, or edited one of its drafts.
            StaleRevisionError: a draft of it, or what it replaces, changed since; the request stays as it is.
        """
        await self._parts.bodies(bundle).ready()
        prepared = await plan.prepare(self._parts, bundle)

        async def work(session: storage.Session) -> None:
            row = await self._locked(session, bundle, request)
            wanted = wire.decode(bytes(row.plan), Plan)
            name = principal.name or principal.id
            if decision == "approve":
                if row.state != "waiting":
                    raise errors.ConflictError(f"request {request} needs no approval any more: it is {row.state}")
                if principal.id == row.author_id or name in {line.author for line in wanted.lines}:
                    raise SelfApprovalError(
                        f"{name} asked for this publish or edited what it publishes: another person must approve it"
                    )
                if row.publish_at > self._parts.clock():
                    change = {"state": "scheduled", "reviewer": name, "decided_at": self._parts.clock()}
                    await store.change_request(session, request, change)
                else:
                    await self._publish(session, principal, bundle, row, texts=prepared.texts, reviewer=name)
            else:
                state = "rejected" if decision == "reject" else "cancelled"
                change = {
                    "state": state,
                    "reviewer": name,
                    "decided_at": self._parts.clock(),
                    "error": message[:2000],
                }
                await store.change_request(session, request, change)
            verb = "approve" if decision != "cancel" else "publish"
            permission = ground.permission(bundle, self._parts.kinds, verb)
            await audit.record(
                session,
                ground.event(principal, bundle, permission, f"request/{request}", reason=f"{decision}: {message}"),
            )

        await self._parts.database.write(work)
        return await self._read(request)

    async def publish_due(self, principal: Principal) -> int:
        """Carry out every scheduled request whose time has come; one that cannot be is marked failed with the reason.

        Safe to run on several servers and again after a crash: each request is locked and carried out once.
        """
        async with self._parts.database.reading() as session:
            due = await store.due_requests(session, await self._parts.shared_clock(session), 100)
        for row in due:
            async with self._parts.database.reading() as session:
                head = await store.bundle_by_id(session, row.bundle)
            if head is not None:
                await self._publish_one(principal, store.address(head), row.id)
        return len(due)

    async def _publish_one(self, principal: Principal, bundle: resource.Bundle, request: str) -> None:
        async def work(session: storage.Session) -> None:
            row = await self._locked(session, bundle, request)
            if row.state == "scheduled":
                await self._publish(session, principal, bundle, row, texts=prepared.texts, reviewer=row.reviewer)

        async def failed(session: storage.Session, error: errors.QiantangError) -> None:
            await store.change_request(
                session,
                request,
                {"state": "failed", "error": error.detail[:2000], "decided_at": self._parts.clock()},
            )

        try:
            prepared = await plan.prepare(self._parts, bundle)
            await self._parts.database.write(work)
        except (
            errors.ConflictError,
            errors.InvalidRequestError,
            errors.NotFoundError,
            errors.GoneError,
        ) as error:
            log.warning("scheduled publish failed", extra={"request": request, "reason": error.detail})
            reason = error
            await self._parts.database.write(lambda session: failed(session, reason))

    async def _publish(
        self,
        session: storage.Session,
        principal: Principal,
        bundle: resource.Bundle,
        row: store.Row,
        *,
        texts: Sequence[tuple[str, str, str, str]],
        reviewer: str,
    ) -> None:
        head_row = await store.lock_bundle(session, bundle, self._parts.clock())
        head = await ground.head_of(session, head_row)
        wanted = wire.decode(bytes(row.plan), Plan)
        order = Order(plan=wanted, texts=texts, message=row.message, author=row.author, approved_by=reviewer)
        published = await self._publishing.carry_out(session, principal, bundle, head, order=order)
        change = {
            "state": "published",
            "reviewer": reviewer,
            "decided_at": self._parts.clock(),
            "revision": published.position.revision,
        }
        await store.change_request(session, row.id, change)

    async def _locked(self, session: storage.Session, bundle: resource.Bundle, request: str) -> store.Row:
        row = await store.lock_request(session, request)
        head = await store.find_bundle(session, bundle)
        if row is None or head is None or row.bundle != head.id:
            raise errors.NotFoundError(f"there is no request {request[:40]!r} in {bundle}")
        if row.state not in OPEN:
            raise errors.ConflictError(f"request {request} was decided already: it is {row.state}")
        return row

    async def _read(self, request: str) -> release.PublishRequest:
        async with self._parts.database.reading() as session:
            row = await store.lock_request(session, request)
        assert row is not None, "just written"  # noqa: S101
        return _view(row)


def _view(row: store.Row) -> release.PublishRequest:
    wanted = wire.decode(bytes(row.plan), Plan)
    return release.PublishRequest(
        id=row.id,
        state=row.state,
        author=row.author,
        message=row.message,
        created_at=row.created_at,
        base_revision=row.base_revision,
        resources=wanted.changed(),
        at=row.publish_at,
        reviewer=row.reviewer,
        decided_at=row.decided_at,
        error=row.error,
        gray=wanted.gray,
        revision=row.revision,
    )
