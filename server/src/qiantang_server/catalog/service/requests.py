"""Requests: an application's people ask that it may call a service; those who may publish the provider's services decide.

Accepting publishes the service with one subscriber more, by who accepts; the request is accepted in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qiantang.catalog.model import kinds
from qiantang.catalog.model.answers import AccessRequest, AskCommand
from qiantang.catalog.model.kinds import ServiceBody
from qiantang.kernel import errors, ids, release, resource, scope, wire
from qiantang_server.catalog import store
from qiantang_server.catalog.service.consent import Consent
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.resources import Resources
from qiantang_server.kernel.resources import store as kernel_store
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.publishing import Along

READ: Final = "catalog.access:read"
CREATE: Final = "catalog.access:create"
PUBLISH: Final = "catalog.service:publish"
PERMISSIONS: Final = {
    READ: "see requests to call services, of an application and to it",
    CREATE: "ask that an application may call services of others, and take that back",
}
MOST_WAITING: Final = 200
"""How many requests of one application may wait at once."""


class AccessRequests:
    """Requests to call services of an application; each is decided once."""

    def __init__(self, resources: Resources) -> None:
        self._parts = resources.parts
        self._consent = Consent(resources)

    async def ask(self, principal: access.Principal, consumer: resource.Bundle, command: AskCommand) -> AccessRequest:
        """Ask for a service.

        Raises:
            NotFoundError: it is not online there.
            ConflictError: the application may call it already, or waits for an answer.
            ExhaustedError: very many of its requests wait.
        """
        provider = _beside(consumer, command.center, command.application)

        async def work(session: storage.Session) -> AccessRequest:
            await self._parts.directory.require_application(session, consumer.scope)
            row = await kernel_store.find_bundle(session, provider)
            if row is not None:  # requests to one provider are written one after another
                await kernel_store.lock_bundle_by_id(session, row.id)
            body = await _published(session, provider, command.service)
            if body is None or body.state != kinds.ONLINE:
                where = f"{command.center}/{command.application}"
                raise errors.NotFoundError(
                    f"there is no service {command.service} online at {where} in {consumer.scope.environment}"
                )
            await self._require_open_question(session, consumer, provider, command.service, body)
            values = self._values(principal, consumer, provider, command)
            await store.add_request(session, values)
            name = f"access/{values['id']}"
            reason = f"asked for {command.service} of {command.center}/{command.application}: {command.reason}"
            await audit.record(session, ground.event(principal, consumer, CREATE, name, reason=reason))
            return await self._read(session, store.of_consumer(consumer), values["id"])

        return await self._parts.database.write(work)

    async def list_asked(
        self, consumer: resource.Bundle, *, decided: bool, after: str, limit: int
    ) -> release.Page[AccessRequest]:
        """Give what an application asked for, newest first: what waits, or with `decided` all."""
        return await self._page(store.of_consumer(consumer), decided=decided, after=after, limit=limit)

    async def list_received(
        self, provider: resource.Bundle, *, decided: bool, after: str, limit: int
    ) -> release.Page[AccessRequest]:
        """Give what others asked an application for, newest first: what waits, or with `decided` all."""
        return await self._page(store.of_provider(provider), decided=decided, after=after, limit=limit)

    async def withdraw(
        self, principal: access.Principal, consumer: resource.Bundle, request: str, reason: str
    ) -> AccessRequest:
        """Take a request back.

        Raises:
            NotFoundError: there is no such request of the application.
            ConflictError: it was decided already.
        """
        return await self._close(
            principal, consumer, request, reason, state="withdrawn", condition=store.of_consumer(consumer)
        )

    async def refuse(
        self, principal: access.Principal, provider: resource.Bundle, request: str, reason: str
    ) -> AccessRequest:
        """Refuse a request.

        Raises:
            NotFoundError: there is no such request to the application.
            ConflictError: it was decided already.
        """
        return await self._close(
            principal, provider, request, reason, state="refused", condition=store.of_provider(provider)
        )

    async def accept(
        self, principal: access.Principal, provider: resource.Bundle, request: str, reason: str
    ) -> AccessRequest:
        """Make the application that asks a subscriber of the service, and publish that; where the environment asks for a second
        person, that publish waits for him.

        Raises:
            NotFoundError: there is no such request to the application.
            ConflictError: it was decided already, the service is not there any more, or somebody's draft of it waits.
        """
        condition = store.of_provider(provider)
        async with self._parts.database.reading() as session:
            row = await self._waiting(session, provider, condition, request)
        consumer = f"{row.consumer_center}/{row.consumer_application}"
        mark = self._marking(principal, provider, row, reason=reason)
        await self._consent.give(principal, provider, row.service, consumer, reason=reason, mark=mark)
        async with self._parts.database.reading() as session:
            return await self._read(session, condition, request)

    # -- inside ------------------------------------------------------------------------------------------

    def _values(
        self, principal: access.Principal, consumer: resource.Bundle, provider: resource.Bundle, command: AskCommand
    ) -> dict[str, Any]:
        return {
            "id": ids.ordered_id(),
            "tenant": provider.scope.tenant,
            "environment": provider.scope.environment,
            "center": provider.scope.center,
            "application": provider.scope.application,
            "consumer_center": consumer.scope.center,
            "consumer_application": consumer.scope.application,
            "service": command.service,
            "state": "waiting",
            "reason": command.reason,
            "author": _name(principal),
            "created_at": self._parts.clock(),
            "answer": "",
            "decided_by": "",
            "decided_at": 0,
            "publishing": "",
        }

    @staticmethod
    async def _require_open_question(
        session: storage.Session, consumer: resource.Bundle, provider: resource.Bundle, service: str, body: ServiceBody
    ) -> None:
        who = f"{consumer.scope.center}/{consumer.scope.application}"
        if kinds.may_call(body, who) or consumer == provider:
            raise errors.ConflictError(f"{who} may call {service} already: subscribe to it")
        own = store.of_consumer(consumer)
        if await store.count_waiting(session, own & store.of_provider(provider), service):
            raise errors.ConflictError(f"{who} has asked for {service} already, and waits for an answer")
        if await store.count_waiting(session, own) >= MOST_WAITING:
            raise errors.ExhaustedError(f"{MOST_WAITING} requests of {who} wait: withdraw some")

    async def _page(self, condition: Any, *, decided: bool, after: str, limit: int) -> release.Page[AccessRequest]:
        async with self._parts.database.reading() as session:
            rows = await store.list_requests(session, condition, decided=decided, after=after, limit=limit + 1)
        following = rows[limit - 1].id if len(rows) > limit else ""
        return release.Page(items=[view(row) for row in rows[:limit]], next=following)

    async def _close(
        self,
        principal: access.Principal,
        bundle: resource.Bundle,
        request: str,
        reason: str,
        *,
        state: str,
        condition: Any,
    ) -> AccessRequest:
        async def work(session: storage.Session) -> AccessRequest:
            row = await self._waiting(session, bundle, condition, request, lock=True)
            values = {"state": state, "answer": reason}
            permission = CREATE if state == "withdrawn" else PUBLISH
            await self._decide(session, principal, bundle, row, permission=permission, values=values)
            return await self._read(session, condition, request)

        return await self._parts.database.write(work)

    def _marking(self, principal: access.Principal, provider: resource.Bundle, row: store.Row, *, reason: str) -> Along:
        """Give what marks a request as accepted in the transaction that publishes it."""

        async def mark(session: storage.Session, outcome: release.PublishOutcome) -> None:
            await self._waiting(session, provider, store.of_provider(provider), row.id, lock=True)
            publishing = outcome.request.id if outcome.request is not None else ""
            values = {"state": "accepted", "answer": reason, "publishing": publishing}
            await self._decide(session, principal, provider, row, permission=PUBLISH, values=values)

        return mark

    async def _decide(
        self,
        session: storage.Session,
        principal: access.Principal,
        bundle: resource.Bundle,
        row: store.Row,
        *,
        permission: str,
        values: Mapping[str, Any],
    ) -> None:
        decided = {"decided_by": _name(principal), "decided_at": self._parts.clock()}
        await store.change_request(session, row.id, {**values, **decided})
        who, what = f"{row.consumer_center}/{row.consumer_application}", f"{row.center}/{row.application}"
        reason = f"{values['state']} {who} for {row.service} of {what}: {values['answer']}"
        await audit.record(session, ground.event(principal, bundle, permission, f"access/{row.id}", reason=reason))

    async def _waiting(
        self, session: storage.Session, bundle: resource.Bundle, condition: Any, request: str, *, lock: bool = False
    ) -> store.Row:
        if lock:
            await store.lock_request(session, request)
        row = await store.find_request(session, condition, request)
        if row is None:
            raise errors.NotFoundError(f"there is no request {request[:40]!r} to call a service in {bundle.scope}")
        if row.state != "waiting":
            raise errors.ConflictError(f"request {row.id} was decided already: it is {row.state}")
        return row

    @staticmethod
    async def _read(session: storage.Session, condition: Any, request: str) -> AccessRequest:
        row = await store.find_request(session, condition, request)
        assert row is not None, "it was found, and none is ever deleted"  # noqa: S101
        return view(row)


def view(row: store.Row) -> AccessRequest:
    """Give a request as it crosses the wire."""
    return AccessRequest(
        id=row.id,
        state=row.state,
        environment=row.environment,
        consumer=f"{row.consumer_center}/{row.consumer_application}",
        provider=f"{row.center}/{row.application}",
        service=row.service,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        answer=row.answer,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        publishing=row.publishing,
        publishing_state=row.publishing_state or "",
    )


def _name(principal: access.Principal) -> str:
    return (principal.name or principal.id)[:128]


def _beside(bundle: resource.Bundle, center: str, application: str) -> resource.Bundle:
    """Give the bundle of another application of the same environment."""
    place = bundle.scope
    return resource.Bundle(
        scope=scope.Scope(tenant=place.tenant, environment=place.environment, center=center, application=application),
        capability=kinds.CAPABILITY,
    )


async def _published(session: storage.Session, bundle: resource.Bundle, service: str) -> ServiceBody | None:
    head = await ground.head(session, bundle)
    body = await ground.body_of(session, head.key, head.manifest.get((kinds.SERVICE_KIND, service)))
    return None if body is None else wire.decode(body, ServiceBody)
