"""Requests: publishes that wait for a second person or for their time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import asking, ground, plan
from qiantang_server.kernel.resources.service.gray import GrayReleases
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

    def __init__(self, parts: Ground, publishing: Publishing, gray: GrayReleases) -> None:
        self._parts = parts
        self._publishing = publishing
        self._gray = gray

    async def list_requests(
        self, bundle: resource.Bundle, states: Sequence[str] = OPEN, limit: int = 100
    ) -> list[release.PublishRequest]:
        """Give requests of a bundle, newest first."""
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            rows = await store.list_requests(session, head.key, states, limit)
        return [asking.view(row) for row in rows]

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
        texts: list[plan.Text] = []
        if decision == "approve":
            await self._parts.bodies(bundle).ready()
            texts = (await plan.prepare(self._parts, bundle)).texts

        async def work(session: storage.Session) -> release.PublishRequest:
            row = await self._locked(session, bundle, request)
            self._parts.tell(session, bundle, "request")
            name = principal.name or principal.id
            if decision == "approve":
                await self._approve(session, principal, bundle, row, texts=texts)
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
            decided = await store.find_request(session, request)
            assert decided is not None, "locked by this transaction"  # noqa: S101
            return asking.view(decided)

        return await self._parts.database.write(work)

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
        try:
            texts = (await plan.prepare(self._parts, bundle)).texts
            await self._parts.database.write(
                lambda session: self._publish_scheduled(session, principal, bundle, request, texts)
            )
        except errors.QiantangError as error:
            if error.retryable:  # its time has come and stays come
                log.warning("scheduled publish is delayed", extra={"request": request, "reason": error.detail})
                return
            log.warning("scheduled publish failed", extra={"request": request, "reason": error.detail})
            reason = error.detail[:2000]
            await self._parts.database.write(lambda session: self._fail(session, bundle, request, reason))

    async def _publish_scheduled(
        self,
        session: storage.Session,
        principal: Principal,
        bundle: resource.Bundle,
        request: str,
        texts: Sequence[plan.Text],
    ) -> None:
        row = await store.lock_request(session, request)
        if row is None or row.state != "scheduled":
            return  # another server, or a person, was faster
        self._parts.tell(session, bundle, "request")
        directory = self._parts.directory
        await directory.require_application(session, bundle.scope)
        permission = ground.permission(bundle, self._parts.kinds, "publish")
        if not await directory.may(session, row.author_id, permission, bundle.scope):
            raise errors.ForbiddenError(f"{row.author}, who asked for it, may not publish here any more")
        if not row.reviewer and await directory.needs_approval(session, bundle.scope):
            # the environment was put under protection since
            await store.change_request(session, request, {"state": "waiting"})
            return
        await self._publish(session, principal, bundle, row, texts=texts, reviewer=row.reviewer)

    async def _fail(self, session: storage.Session, bundle: resource.Bundle, request: str, reason: str) -> None:
        row = await store.lock_request(session, request)
        if row is not None and row.state == "scheduled":
            self._parts.tell(session, bundle, "request")
            change = {"state": "failed", "error": reason, "decided_at": self._parts.clock()}
            await store.change_request(session, request, change)

    async def _approve(
        self,
        session: storage.Session,
        principal: Principal,
        bundle: resource.Bundle,
        row: store.Row,
        *,
        texts: Sequence[plan.Text],
    ) -> None:
        if row.state != "waiting":
            raise errors.ConflictError(f"request {row.id} needs no approval any more: it is {row.state}")
        wanted = wire.decode(bytes(row.plan), Plan)
        name = principal.name or principal.id
        if asking.is_own(principal, row, wanted):
            raise SelfApprovalError(
                f"{name} asked for this publish or edited what it publishes: another person must approve it"
            )
        if row.publish_at > await self._parts.shared_clock(session):
            change = {"state": "scheduled", "reviewer": name, "decided_at": self._parts.clock()}
            await store.change_request(session, row.id, change)
        else:
            await self._publish(session, principal, bundle, row, texts=texts, reviewer=name)

    async def _publish(
        self,
        session: storage.Session,
        principal: Principal,
        bundle: resource.Bundle,
        row: store.Row,
        *,
        texts: Sequence[plan.Text],
        reviewer: str,
    ) -> None:
        head_row = await store.lock_bundle(session, bundle, self._parts.clock())
        head = await ground.head_of(session, head_row)
        wanted = wire.decode(bytes(row.plan), Plan)
        order = Order(plan=wanted, texts=texts, message=row.message, author=row.author, approved_by=reviewer)
        does = self._publishing.carry_out if wanted.act == "publish" else self._gray.carry_out
        published = await does(session, principal, bundle, head, order=order)
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
