"""Dead letters of applications in the console: looked at, sent again, deleted, each by whoever may, and each in the trail.

The letters are in the application's own database, so a record of the trail cannot be written in one transaction with what it
records: it is written before anything is done, and another one where that failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from msgspec import UNSET

from qiantang.kernel import errors, release, resource
from qiantang.messaging.errors import DeadLetterGoneError, OutcomeUnknownError, UnknownTopicError
from qiantang.messaging.model import DeadAction, DeadLetter, DeadOutcome
from qiantang.messaging.model.answers import (
    DeadActionDetail,
    DeadActionMessages,
    DeadActionView,
    DeadCauseView,
    DeadLetterDetail,
    DeadLetterView,
    DeadOutcomeView,
    DeleteCommand,
    MessageView,
    ResendCommand,
    ResendManyCommand,
    Resent,
)
from qiantang_server.kernel import access, audit, storage
from qiantang_server.messaging.service import views
from qiantang_server.messaging.service.buses import Buses, OpenBus
from qiantang_server.messaging.service.failures import DeadLettersAwayError, explained

READ: Final = "messaging.deadletter:read"
REVEAL: Final = "messaging.deadletter:reveal"
EXECUTE: Final = "messaging.deadletter:execute"
UPDATE: Final = "messaging.deadletter:update"
PERMISSIONS: Final = {
    READ: "see dead letters, their errors and their history, without the messages themselves",
    REVEAL: "see the headers and bodies of dead letters",
    EXECUTE: "send dead letters again as they were, and delete them",
    UPDATE: "edit dead letters that are sent again",
}
PER_SECOND: Final = 50.0
MAX_NUMBER: Final = 2**53 - 1


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which causes, letters or actions are asked for; `after` is what a page gave as `next`."""

    topic: str = ""
    group: str = ""
    cause: str = ""
    words: str = ""
    after: str = ""
    limit: int = 100

    def filter(self) -> dict[str, Any]:
        """Give it as a bus takes it, with one more than a page holds.

        Raises:
            InvalidRequestError: it is no text that a database could have, or `after` is not what a page gave.
        """
        named = {"topic": self.topic, "group": self.group, "fingerprint": self.cause, "words": self.words}
        wrong = next((name for name, text in named.items() if "\0" in text or len(text) > 1000), "")
        if wrong:
            raise errors.InvalidRequestError(f"{wrong} is too long, or has a zero in it")
        if self.after and not (self.after.isascii() and self.after.isdecimal() and 0 < int(self.after) <= MAX_NUMBER):
            raise errors.InvalidRequestError("`after` is not what an earlier page gave as `next`")
        return {**named, "before": int(self.after or 0), "count": self.limit + 1}


class DeadLetters:
    """Of all applications whose buses can be opened here."""

    def __init__(self, buses: Buses, database: storage.Database) -> None:
        self._buses = buses
        self._database = database
        self._within = buses.settings.answer_within.total_seconds()

    async def causes(self, bundle: resource.Bundle, asked: Asked) -> release.Page[DeadCauseView]:
        """Give what letters died of, the cause of the newest letter first."""
        filtered = asked.filter()
        async with self._reading(bundle) as found:
            some = await found.bus.dead_causes(**filtered)
        return _page(some, asked.limit, lambda one: one.newest, views.cause)

    async def letters(self, bundle: resource.Bundle, asked: Asked) -> release.Page[DeadLetterView]:
        """Give letters, the newest first."""
        filtered = asked.filter()
        async with self._reading(bundle) as found:
            some = await found.bus.dead_letters(**filtered)
        return _page(some, asked.limit, lambda one: one.number, views.letter)

    async def letter(self, bundle: resource.Bundle, number: int) -> DeadLetterDetail:
        """Give one letter without its message."""
        async with self._reading(bundle) as found:
            return views.letter_detail(await _letter(found, number))

    async def message(self, principal: access.Principal, bundle: resource.Bundle, number: int) -> MessageView:
        """Give the message of a letter, and write down who saw it."""
        async with self._reading(bundle) as found:
            frame = (await _letter(found, number)).frame
            shown = await asyncio.to_thread(views.message, found.bus, frame)
        await self._record(principal, REVEAL, bundle, f"dead-letters/{number}")
        return shown

    async def history(self, bundle: resource.Bundle, asked: Asked) -> release.Page[DeadActionView]:
        """Give what was done, the newest first."""
        filtered = asked.filter()
        async with self._reading(bundle) as found:
            some = await found.bus.dead_history(**filtered)
        return _page(some, asked.limit, lambda one: one.number, views.action)

    async def action(self, bundle: resource.Bundle, number: int) -> DeadActionDetail:
        """Give one thing that was done, without messages."""
        async with self._reading(bundle) as found:
            return views.action_detail(await _action(found, number))

    async def action_messages(
        self, principal: access.Principal, bundle: resource.Bundle, number: int
    ) -> DeadActionMessages:
        """Give the messages of one thing that was done, and write down who saw them."""
        async with self._reading(bundle) as found:
            done = await _action(found, number)
            died = await asyncio.to_thread(views.message, found.bus, done.letter.frame)
            sent = await asyncio.to_thread(views.message, found.bus, done.sent) if done.sent is not None else None
        await self._record(principal, REVEAL, bundle, f"dead-letter-history/{number}")
        return DeadActionMessages(died=died, sent=sent)

    async def resend(
        self, principal: access.Principal, bundle: resource.Bundle, number: int, command: ResendCommand
    ) -> Resent:
        """Send a letter again, edited or not.

        Raises:
            NotPermittedError: it is edited, and he may not do that.
            NotReachableError: its topic's brokers are not reached from here.
        """
        changed = [name for name in ("body", "headers", "key", "tag") if getattr(command, name) is not None]
        if changed:
            access.require(principal, UPDATE, access.Target.of(bundle.scope))
        async with self._writing(bundle) as found:
            topic = (await _letter(found, number)).topic
            found.require(topic)
            edits = _edits(command, found, topic)
            done = {"what": "resent", "numbers": [number], "changed": changed}
            async with self._recorded(principal, bundle, f"dead-letters/{number}", command.reason, done):
                sent = await found.bus.resend(
                    number, by=_by(principal), reason=command.reason, deadline=self._within, **edits
                )
        return Resent(id=sent.id, outcome=sent.outcome, queue=sent.queue, position=sent.position)

    async def resend_many(
        self, principal: access.Principal, bundle: resource.Bundle, command: ResendManyCommand
    ) -> list[DeadOutcomeView]:
        """Send letters again as they were; give what became of each."""
        async with self._writing(bundle, len(command.numbers) / PER_SECOND) as found:
            done = {"what": "resent", "numbers": command.numbers}
            async with self._recorded(principal, bundle, "dead-letters", command.reason, done):
                outcomes = await found.bus.resend_many(
                    command.numbers,
                    by=_by(principal),
                    reason=command.reason,
                    per_second=PER_SECOND,
                    deadline=self._within,
                )
            explained_ones = [await _explained(found, one) for one in outcomes]
        await self._record_failed(principal, bundle, done, explained_ones)
        return [views.outcome(one) for one in explained_ones]

    async def delete(
        self, principal: access.Principal, bundle: resource.Bundle, command: DeleteCommand
    ) -> list[DeadOutcomeView]:
        """Delete letters; give what became of each."""
        async with self._writing(bundle) as found:
            done = {"what": "deleted", "numbers": command.numbers}
            async with self._recorded(principal, bundle, "dead-letters", command.reason, done):
                outcomes = await found.bus.delete_dead(command.numbers, by=_by(principal), reason=command.reason)
            explained_ones = [await _explained(found, one) for one in outcomes]
        await self._record_failed(principal, bundle, done, explained_ones)
        return [views.outcome(one) for one in explained_ones]

    # -- inside ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _reading(self, bundle: resource.Bundle) -> AsyncGenerator[OpenBus]:
        late = DeadLettersAwayError(f"the dead letters of {bundle.scope} were not found within {self._within:g} s")
        async with _told(late), asyncio.timeout(self._within), self._buses.of(bundle) as found:
            yield found

    @asynccontextmanager
    async def _writing(self, bundle: resource.Bundle, more: float = 0.0) -> AsyncGenerator[OpenBus]:
        within = 2 * self._within + more
        late = OutcomeUnknownError(
            f"it was not done within {within:g} s, or not for all: look at the history of dead letters before trying again"
        )
        async with _told(late), asyncio.timeout(within), self._buses.of(bundle) as found:
            yield found

    @asynccontextmanager
    async def _recorded(
        self, principal: access.Principal, bundle: resource.Bundle, name: str, reason: str, done: dict[str, Any]
    ) -> AsyncGenerator[None]:
        await self._record(principal, EXECUTE, bundle, name, reason=reason, changes=[done])
        try:
            yield
        except errors.QiantangError as error:
            await self._record(principal, EXECUTE, bundle, name, outcome="error", reason=error.code, changes=[done])
            raise

    async def _record_failed(
        self,
        principal: access.Principal,
        bundle: resource.Bundle,
        done: dict[str, Any],
        outcomes: Sequence[DeadOutcome],
    ) -> None:
        """Write down which of several were not done."""
        failed = {one.number: one.error.code for one in outcomes if one.error is not None}
        if failed:
            reason, changes = ", ".join(sorted(set(failed.values()))), [{**done, "numbers": list(failed)}]
            await self._record(
                principal, EXECUTE, bundle, "dead-letters", outcome="error", reason=reason, changes=changes
            )

    async def _record(
        self, principal: access.Principal, action: str, bundle: resource.Bundle, name: str, **details: Any
    ) -> None:
        place = access.Target.of(bundle.scope)
        event = audit.AuditEvent.by(principal, action, place, resource=f"{bundle.capability}/{name}", **details)
        await self._database.write(lambda session: audit.record(session, event))


@asynccontextmanager
async def _told(late: errors.QiantangError) -> AsyncGenerator[None]:
    """Say by our names what keeps a bus from its store and its brokers; `late` where there was no time for it."""
    try:
        yield
    except TimeoutError as error:
        raise late from error
    except errors.QiantangError as error:
        told = explained(error)
        if told is error:
            raise
        raise told from error


def _page(some: Sequence[Any], limit: int, number: Callable[[Any], int], view: Callable[[Any], Any]) -> Any:
    """Give a page of one more than it holds."""
    following = str(number(some[limit - 1])) if len(some) > limit else ""
    return release.Page(items=[view(one) for one in some[:limit]], next=following)


async def _letter(found: OpenBus, number: int) -> DeadLetter:
    if not 0 < number <= MAX_NUMBER:
        raise DeadLetterGoneError(f"there is no dead letter {number}")
    return await found.bus.dead_letter(number)


async def _action(found: OpenBus, number: int) -> DeadAction:
    if not 0 < number <= MAX_NUMBER:
        raise DeadLetterGoneError(f"nothing of the number {number} is in the history of dead letters")
    return await found.bus.dead_action(number)


async def _explained(found: OpenBus, one: DeadOutcome) -> DeadOutcome:
    """Say by our names what kept a letter; of one whose topic is not opened here why, rather than that there is no such topic."""
    error = explained(one.error) if one.error is not None else None
    if isinstance(error, UnknownTopicError) and found.faults:
        try:
            found.require((await found.bus.dead_letter(one.number)).topic)
        except errors.QiantangError as failure:
            error = explained(failure)
    return DeadOutcome(number=one.number, error=error)


def _edits(command: ResendCommand, found: OpenBus, topic: str) -> dict[str, Any]:
    known = next((one for one in found.estate.topics if one.name == topic), None)
    return {
        "body": UNSET if command.body is None else views.body(command.body, known),
        "headers": None if command.headers is None else views.headers(command.headers),
        "key": command.key,
        "tag": command.tag,
    }


def _by(principal: access.Principal) -> str:
    """Name who does it, as the history keeps it."""
    name = principal.name[:255]
    return name if name and name.isprintable() else principal.id
