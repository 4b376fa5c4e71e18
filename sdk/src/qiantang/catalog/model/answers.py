"""Answers: what the catalog's own routes say and take."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qiantang.catalog.model.kinds import Access, State
from qiantang.kernel import wire
from qiantang.kernel.scope import Name
from qiantang.registry.model import ServiceName

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
RequestState = Literal["waiting", "accepted", "refused", "withdrawn"]
REQUEST_STATES: tuple[RequestState, ...] = ("waiting", "accepted", "refused", "withdrawn")


class OfferView(wire.Wire, frozen=True):
    """A published service in a list: `consumers` are the applications whose published subscriptions name it."""

    environment: str
    center: str
    application: str
    service: str
    state: State
    version: str
    group: str
    digest: str
    access: Access
    methods: int
    subscribers: list[str] = []
    consumers: list[str] = []
    revision: int = 0
    description: str = ""


class AskCommand(wire.Command, frozen=True):
    """Ask that this application may call a service of another one, whose people decide."""

    center: Name
    application: Name
    service: ServiceName
    reason: Reason


class AnswerCommand(wire.Command, frozen=True):
    """Accept, refuse or withdraw a request, and say why."""

    reason: Reason


class AccessRequest(wire.Wire, frozen=True):
    """A request of one application (`consumer`, center/application) to call a service of another (`provider`).

    `publishing` is set where accepting waits for a second person or their time: the provider's request to publish, and what
    became of it. Until that is published the consumer may not call.
    """

    id: str
    state: RequestState
    environment: str
    consumer: str
    provider: str
    service: str
    reason: str
    author: str
    created_at: int
    answer: str = ""
    decided_by: str = ""
    decided_at: int = 0
    publishing: str = ""
    publishing_state: str = ""
