"""Consent: a service is published with one subscriber more, and with nothing else that somebody drafted."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from qiantang.catalog.model import kinds
from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.resources import Resources
from qiantang_server.kernel.resources import store as kernel_store
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.publishing import Along


class Consent:
    """Gives it, by publishing; safe to be given again after a crash."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def give(
        self,
        principal: access.Principal,
        provider: resource.Bundle,
        service: str,
        consumer: str,
        *,
        reason: str,
        mark: Along,
    ) -> None:
        """Make an application (center/application) a subscriber of a service; `mark` is written along.

        Raises:
            ConflictError: the service is not published any more, or somebody's draft of it waits.
        """
        detail = await self._subscribed_to(provider, service)
        body = _with_subscriber(detail.published, consumer)
        if body == detail.published:  # he was made one meanwhile, or before a crash
            await self._resources.parts.database.write(lambda session: mark(session, release.PublishOutcome()))
        else:
            message = f"{consumer} may call {service}: {reason}"
            await self._publish(principal, provider, detail, body, message=message, mark=mark)

    async def _subscribed_to(self, provider: resource.Bundle, service: str) -> release.ResourceDetail:
        """Give the published service, of which nobody else's draft waits."""
        try:
            detail = await self._resources.drafts.read(provider, kinds.SERVICE_KIND, service)
        except errors.NotFoundError:
            detail = None
        if detail is None or detail.published is None:
            raise errors.ConflictError(f"{service} is not published any more: refuse the request")
        return detail

    async def _publish(
        self,
        principal: access.Principal,
        provider: resource.Bundle,
        detail: release.ResourceDetail,
        body: Any,
        *,
        message: str,
        mark: Along,
    ) -> None:
        if detail.state != "published" and detail.draft != body:
            raise errors.ConflictError(
                f"a draft of {detail.name} by {detail.edited_by} waits, which would be published as well: "
                "publish it or throw it away first"
            )
        drafts = self._resources.drafts
        saved = await drafts.save(principal, provider, detail.kind, detail.name, body, expected=detail.version)
        digest = resource.content_digest(wire.encode(body))

        async def along(session: storage.Session, outcome: release.PublishOutcome) -> None:
            await _require_meant(session, provider, detail, outcome, digest=digest)
            await mark(session, outcome)

        command = release.PublishCommand(
            expected_revision=detail.revision, message=message[:2000], only=[(detail.kind, detail.name)]
        )
        try:
            await self._resources.publishing.publish(principal, provider, command, along=along)
        except errors.QiantangError:
            with contextlib.suppress(errors.QiantangError):  # the first error is the one to be told
                await drafts.discard(principal, provider, detail.kind, detail.name, expected=saved.version)
            raise


def _with_subscriber(body: Mapping[str, Any], who: str) -> dict[str, Any]:
    subscribers = list(body.get("subscribers", []))
    known = who in subscribers or who.partition("/")[0] in subscribers
    return dict(body) if known else {**body, "subscribers": [*subscribers, who]}


async def _require_meant(
    session: storage.Session,
    bundle: resource.Bundle,
    detail: release.ResourceDetail,
    outcome: release.PublishOutcome,
    *,
    digest: str,
) -> None:
    """Pass where what is published, or waits to be, is what was meant, and no edit of another.

    Raises:
        ConflictError: somebody edited the draft just then.
    """
    head = await ground.head(session, bundle)
    key = (detail.kind, detail.name)
    draft = await kernel_store.find_draft(session, head.key, *key) if outcome.request is not None else None
    if (head.manifest.get(key) if draft is None else draft.digest) != digest:
        raise errors.ConflictError(f"somebody edited {detail.name} just then: look at the draft, then accept again")
