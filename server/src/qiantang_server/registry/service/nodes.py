"""Nodes: what applications register, what they hold of each other's nodes, and what their services offer."""

from __future__ import annotations

from typing import Any, Final

from qiantang.kernel import scope
from qiantang.registry.errors import RegistryFullError, UnknownDefinitionError
from qiantang.registry.model import Definition, Vote, protocol
from qiantang.registry.port import MAX_NODES, MAX_SERVICES, MAX_VOTES
from qiantang.registry.port.bounds import (
    check_node_name,
    check_service,
    decode_definition,
    decode_vote,
    encode_definition,
    encode_node,
    encode_vote,
)
from qiantang_server.kernel import storage
from qiantang_server.registry.rules import owning
from qiantang_server.registry.service.ground import Ground, require_session
from qiantang_server.registry.store import moving, nodes, sessions
from qiantang_server.registry.store.tables import Place

MAX_LIST_BYTES: Final = 32 << 20
"""Bytes that the nodes of one microservice may take together: each of its callers gets all of them."""
ANSWER_BYTES: Final = 8 << 20
DEFINITIONS_AT_ONCE: Final = 50


class Nodes:
    """Of all applications."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def register(self, caller: scope.Scope, command: protocol.Register) -> protocol.Registered:
        """Have a node in the list of the caller's own microservice; say whether it is there.

        Raises:
            NotOwnNameError, NameTakenError: the microservice is not the caller's.
            SessionOverError: the session is.
            RegistryFullError: there is no room.
        """
        owning.require_own(caller, command.microservice)
        body, place = encode_node(command.node), Place.of(caller)
        key = owning.session_key(command.session, caller)
        if await self._stands(place, key, command, body):
            return protocol.Registered(held=True)

        async def work(session: storage.Session, revision: int) -> bool:
            await require_session(session, key)
            await self._ground.own(session, caller)
            there = await nodes.find(session, place, command.microservice, command.node.name)
            if there is not None and there.session != key and await self._is_left(session, command, there):
                return False
            await self._require_room(session, place, command, (len(body), there))
            same = there is not None and there.session == key
            since = there.registered_at if there is not None and same else await session.now()
            await nodes.save(session, {**_row(place, key, command, body), "registered_at": since})
            await moving.note(session, place, command.microservice, caller.center, revision)
            return True

        return protocol.Registered(held=await self._ground.change(place, work))

    async def deregister(self, caller: scope.Scope, command: protocol.Deregister) -> None:
        """Take a node of a session out of the list; one that is not there is out already."""
        owning.require_own(caller, command.microservice)
        name, place = check_node_name(command.node), Place.of(caller)
        key = owning.session_key(command.session, caller)

        async def work(session: storage.Session, revision: int) -> None:
            if await nodes.remove(session, place, command.microservice, name, key):
                await moving.note_again(session, place, [command.microservice], revision)

        await self._ground.change(place, work)

    async def vote(self, caller: scope.Scope, command: protocol.Cast) -> None:
        """Keep a vote of a session, or take it back.

        Raises:
            SessionOverError: the session is over.
            RegistryFullError: there are too many votes of the microservice, or of the session.
        """
        body, place = encode_vote(command.vote), Place.of(caller)
        key = owning.session_key(command.session, caller)
        vote = owning.vote_key(caller, command.microservice, command.vote)

        async def work(session: storage.Session) -> None:
            await require_session(session, key)
            if not command.vote.value:
                await nodes.remove_vote(session, vote, key)
                return
            if not await nodes.has_vote(session, vote):
                await _require_votes(session, place, command.microservice, key)
            row = {"id": vote, **_of(place, command.microservice), "session": key, "body": body}
            await nodes.save_vote(session, row)

        await self._ground.database.write(work)

    async def votes(self, caller: scope.Scope, microservice: str) -> protocol.Votes:
        """Give the votes of a microservice, sorted."""
        async with self._ground.database.reading() as session:
            bodies = await nodes.list_votes(session, Place.of(caller), microservice, MAX_VOTES)
        found = [vote for vote in map(decode_vote, bodies) if vote is not None]
        return protocol.Votes(votes=tuple(sorted(found, key=_by_name)))

    async def publish(self, caller: scope.Scope, command: protocol.Publish) -> None:
        """Keep what a service of the caller's own microservice offers.

        Raises:
            NotOwnNameError, NameTakenError: the microservice is not the caller's.
            RegistryFullError: there are too many services.
        """
        owning.require_own(caller, command.microservice)
        body, place = encode_definition(command.definition), Place.of(caller)
        microservice, definition = command.microservice, command.definition

        async def work(session: storage.Session, revision: int) -> None:
            await self._ground.own(session, caller)
            there = await nodes.find_definition(session, place, microservice, definition.service)
            if there is None and await nodes.count_definitions(session, place, microservice) >= MAX_SERVICES:
                raise RegistryFullError(f"there are {MAX_SERVICES} services of this microservice already")
            if there is not None and bytes(there.body) == body:
                return
            row = {
                **_of(place, microservice),
                "service": definition.service,
                "digest": definition.digest,
                "size": len(body),
                "body": body,
                "published_at": await session.now(),
            }
            await nodes.save_definition(session, row)
            await moving.note(session, place, microservice, caller.center, revision)

        await self._ground.change(place, work)

    async def definitions(self, caller: scope.Scope, asked: protocol.AskDefinitions) -> protocol.Definitions:
        """Give what services offer, as many as one answer takes; or the one named.

        Raises:
            UnknownDefinitionError: the one named was not published.
        """
        place = Place.of(caller)
        if asked.service:
            return protocol.Definitions(definitions=(await self._definition(place, asked),))
        found: list[Definition] = []
        size, after = 0, asked.after
        while size < ANSWER_BYTES:
            async with self._ground.database.reading() as session:
                rows = await nodes.list_definitions(session, place, asked.microservice, after, DEFINITIONS_AT_ONCE)
            read = (decode_definition(bytes(row.body), row.service) for row in rows)
            found += [one for one in read if one is not None]
            size += sum(row.size for row in rows)
            if len(rows) < DEFINITIONS_AT_ONCE:
                return protocol.Definitions(definitions=tuple(found))
            after = rows[-1].service
        return protocol.Definitions(definitions=tuple(found), next=after)

    async def _definition(self, place: Place, asked: protocol.AskDefinitions) -> Definition:
        async with self._ground.database.reading() as session:
            row = await nodes.find_definition(session, place, asked.microservice, check_service(asked.service))
        found = None if row is None else decode_definition(bytes(row.body), asked.service)
        if found is None:
            raise UnknownDefinitionError(f"no definition of {asked.service} was published by {asked.microservice}")
        return found

    async def _stands(self, place: Place, key: str, command: protocol.Register, body: bytes) -> bool:
        """Say whether everything is so already: looking costs the others nothing."""
        async with self._ground.database.reading() as session:
            there = await nodes.find(session, place, command.microservice, command.node.name)
            same = there is not None and there.session == key and bytes(there.body) == body
            return same and await sessions.is_there(session, key)

    async def _is_left(self, session: storage.Session, command: protocol.Register, there: nodes.Row) -> bool:
        """Say whether the name is left to the one that has it."""
        if not (command.gently and owning.is_later(there.started_at, command.node.started_at, had=command.had)):
            return False
        return await sessions.is_there(session, there.session)

    async def _require_room(
        self, session: storage.Session, place: Place, command: protocol.Register, size: tuple[int, nodes.Row | None]
    ) -> None:
        more, there = size
        if there is not None and more <= there.size:
            return
        held = await nodes.size(session, place, command.microservice)
        if there is None and held.nodes >= MAX_NODES:
            raise RegistryFullError(f"there are {MAX_NODES} nodes of {command.microservice} already")
        if held.size + more - (there.size if there is not None else 0) > MAX_LIST_BYTES:
            raise RegistryFullError(
                f"the nodes of {command.microservice} take {MAX_LIST_BYTES:,} bytes together already, as many as they may"
            )


def _of(place: Place, microservice: str) -> dict[str, str]:
    return {"tenant": place.tenant, "environment": place.environment, "microservice": microservice}


def _by_name(vote: Vote) -> tuple[str, str, str, str]:
    return (vote.service, vote.node, vote.voter, vote.value)


def _row(place: Place, key: str, command: protocol.Register, body: bytes) -> dict[str, Any]:
    return {
        **_of(place, command.microservice),
        "name": command.node.name,
        "session": key,
        "state": command.node.state,
        "started_at": command.node.started_at,
        "size": len(body),
        "body": body,
    }


async def _require_votes(session: storage.Session, place: Place, microservice: str, key: str) -> None:
    of_all, of_session = await nodes.count_votes(session, place, microservice, key)
    if of_all >= MAX_VOTES or of_session >= MAX_VOTES:
        raise RegistryFullError(f"there are {MAX_VOTES} votes of this microservice, or of this process, already")
