"""Holdings: the nodes and votes that this process wants to be there, in a session that is renewed, and opened anew if need be."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from qiantang.kernel import backoff, errors
from qiantang.registry.adapters.platform.line import Line
from qiantang.registry.errors import RegistryAwayError, RegistryFullError, SessionOverError
from qiantang.registry.model import Node, Vote, protocol

log = logging.getLogger(__name__)

MAX_HELD: Final = 20_000
_CHUNK: Final = 8
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 2.0
_CLOSE_SECONDS: Final = 2.0

Key = tuple[str, ...]
"""The microservice and the node's name; of a vote the service and the voter as well."""


@dataclass(slots=True)
class _Held:
    """What is to be there of a microservice, or was (`wanted` False).

    `session` is the one in which it was this process's last: who took it within that did so on purpose.
    """

    microservice: str
    value: Node | Vote
    wanted: bool = True
    session: str = ""
    yielded: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Holdings:
    """Keeps them. What is to be there is noted first and told then, so that an outage only delays it."""

    def __init__(self, line: Line, check_seconds: float) -> None:
        self._line = line
        self._check_seconds = check_seconds
        self._held: dict[Key, _Held] = {}
        self._session = ""
        self._renew_seconds = 0.0
        self._opening = asyncio.Lock()
        self._due = asyncio.Event()
        self._said = ""
        self.renewed = True
        """Whether the session could be renewed last, or none is needed."""

    def node(self, key: Key) -> Node | None:
        """Give the node that is to be there under a name."""
        held = self._held.get(key)
        return held.value if held is not None and held.wanted and isinstance(held.value, Node) else None

    async def hold(self, key: Key, microservice: str, value: Node | Vote, *, gently: bool = False) -> bool:
        """Have a node or a vote there, in place of whatever is; `gently`: but of a later process's. Give whether it is there.

        Raises:
            RegistryAwayError: it will be there once the registry is back.
            QiantangError: the registry refused it, and nothing is kept of it.
        """
        held = self._held.get(key)
        if held is None:
            if len(self._held) >= MAX_HELD:
                raise RegistryFullError(f"this process holds {MAX_HELD} nodes and votes already")
            held = self._held[key] = _Held(microservice, value)
        held.value, held.wanted = value, True
        try:
            await self._see_to(key, held, gently=gently)
        except RegistryAwayError:
            self._due.set()
            raise
        except errors.QiantangError:  # refused: it would be refused each time
            self._forget(key, held)
            raise
        return not held.yielded

    async def drop(self, key: Key) -> None:
        """Have nothing of this process there.

        Raises:
            RegistryAwayError: it will be gone once the registry is back.
        """
        held = self._held.get(key)
        if held is None:
            return
        held.wanted = False
        try:
            await self._see_to(key, held)
        except RegistryAwayError:
            self._due.set()
            raise

    async def keep(self) -> None:
        """Renew the session, and see to everything in steady steps, until cancelled; soon again where that failed."""
        pauses = backoff.Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        loop = asyncio.get_running_loop()
        checked, pause = loop.time(), self._pause()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._due.wait()
            is_due = self._due.is_set() or loop.time() - checked >= self._check_seconds
            self._due.clear()
            try:
                await self._renew()
                if is_due:
                    await self._see_to_all()
                    checked = loop.time()
            except Exception as error:  # a fault of ours must not end it either
                self._failed(error)
                pause = pauses.next()
                if is_due:
                    self._due_later(pause)
            else:
                self._well()
                pauses.reset()
                pause = self._pause()

    async def close(self) -> None:
        """End the session: all that is held in it is gone at once, or where nobody answers with its lease."""
        session, self._session = self._session, ""
        if session:
            with contextlib.suppress(errors.QiantangError):
                body = protocol.OfSession(session=session)
                await self._line.call("close", body, type(None), deadline=min(_CLOSE_SECONDS, self._line.deadline))

    def _pause(self) -> float:
        if self._session:
            return min(self._renew_seconds, self._check_seconds)
        return _LONGEST_PAUSE if self._line.away else self._check_seconds

    async def _renew(self) -> None:
        if not self._session:
            if self._line.away:
                await self._line.prove()
            return
        session = self._session
        try:
            await self._line.call("renew", protocol.OfSession(session=session), type(None))
        except SessionOverError:
            self._over(session)

    def _over(self, session: str) -> None:
        if self._session == session:
            log.warning("the platform's registry forgot this process, which registers anew")
            self._session = ""
            self._due.set()

    async def _open(self) -> str:
        async with self._opening:
            if not self._session:
                opened = await self._line.call("sessions", None, protocol.Opened)
                self._session, self._renew_seconds = opened.session, opened.renew_seconds
                self._due.set()  # those that an earlier session held
        return self._session

    async def _see_to_all(self) -> None:
        """See to all of them; one that is refused keeps no other back, and is told of at the end."""
        rest, refused = iter(list(self._held.items())), None
        while chunk := list(islice(rest, _CHUNK)):
            seeing = (self._see_to(key, held, gently=True) for key, held in chunk)
            for outcome in await asyncio.gather(*seeing, return_exceptions=True):
                if isinstance(outcome, RegistryAwayError):
                    raise outcome
                refused = outcome if isinstance(outcome, Exception) else refused
        if refused is not None:
            raise refused

    async def _see_to(self, key: Key, held: _Held, *, gently: bool = False) -> None:
        async with held.turn:
            for _ in range(2):
                session = await self._open() if held.wanted else self._session
                try:
                    if await self._tell(held, session, gently=gently):
                        held.session = session
                    break
                except SessionOverError:
                    self._over(session)
            else:
                raise RegistryAwayError("the registry forgets sessions as soon as they are opened; it is tried again")
        if not held.wanted:
            self._forget(key, held)

    async def _tell(self, held: _Held, session: str, *, gently: bool) -> bool:
        """Say what is to be there; give whether it is."""
        value, microservice = held.value, held.microservice
        if isinstance(value, Vote):
            told = value if held.wanted else Vote(service=value.service, node=value.node, voter=value.voter)
            if session:
                cast = protocol.Cast(session=session, microservice=microservice, vote=told)
                await self._line.call("vote", cast, type(None))
            return True
        if not held.wanted:
            if session:
                body = protocol.Deregister(session=session, microservice=microservice, node=value.name)
                await self._line.call("deregister", body, type(None))
            return False
        command = protocol.Register(
            session=session,
            microservice=microservice,
            node=value,
            gently=gently,
            had=held.session == session,
        )
        answer = await self._line.call("register", command, protocol.Registered)
        self._note_yielded(held, value, yielded=not answer.held)
        return answer.held

    def _note_yielded(self, held: _Held, node: Node, *, yielded: bool) -> None:
        """Note whether a later process has this name now; said once."""
        if yielded and not held.yielded:
            extra = {"microservice": held.microservice, "node": node.name}
            log.error("another process registered under a name of this one; it is left to it", extra=extra)
        held.yielded = yielded

    def _forget(self, key: Key, held: _Held) -> None:
        if self._held.get(key) is held:
            del self._held[key]

    def _due_later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._due.set)

    def _failed(self, error: Exception) -> None:
        """Log what keeps it from seeing to them, once for each reason."""
        self.renewed = False
        reason = error.code if isinstance(error, errors.QiantangError) else repr(error)
        if reason != self._said:
            self._said = reason
            log.warning("what this process registered is not renewed; trying again", extra={"reason": str(error)})

    def _well(self) -> None:
        self.renewed = True
        if self._said:
            log.info("what this process registered is renewed again")
        self._said = ""
