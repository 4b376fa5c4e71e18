"""Routes of dead letters: an application's, in the store that its message policy names."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from qiantang.kernel import release, resource
from qiantang.messaging.model import kinds
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
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.web.resources import PLACE, provide_bundle
from qiantang_server.messaging.service import DeadLetters
from qiantang_server.messaging.service.dead_letters import Asked

KIND = "deadletter"
Limit = Annotated[int, QueryParameter(ge=1, le=200)]
_UNKEPT = {"Cache-Control": "no-store"}


async def provide_asked(
    topic: FromQuery[str] = "",
    group: FromQuery[str] = "",
    cause: FromQuery[str] = "",
    words: FromQuery[str] = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> Asked:
    """Give which ones are asked for: of a topic, a group, a cause, with words in their errors."""
    return Asked(topic=topic, group=group, cause=cause, words=words, after=after, limit=limit)


_asked = {"asked": Provide(provide_asked)}


@get("/dead-letter-causes", opt={"verb": "read"}, dependencies=_asked)
async def list_dead_causes(
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    asked: NamedDependency[Asked],
) -> release.Page[DeadCauseView]:
    """List what messages died of and how many of each, the cause of the newest letter first."""
    return await dead_letters.causes(bundle, asked)


@get("/dead-letters", opt={"verb": "read"}, dependencies=_asked)
async def list_dead_letters(
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    asked: NamedDependency[Asked],
) -> release.Page[DeadLetterView]:
    """List dead letters, the newest first."""
    return await dead_letters.letters(bundle, asked)


@get("/dead-letters/{number:int}", opt={"verb": "read"})
async def read_dead_letter(
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    number: FromPath[int],
) -> DeadLetterDetail:
    """Read a dead letter with the stack of its error, without its message."""
    return await dead_letters.letter(bundle, number)


@get("/dead-letters/{number:int}/message", opt={"verb": "reveal"})
async def reveal_dead_letter(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    number: FromPath[int],
) -> Response[MessageView]:
    """Read the message of a dead letter: its headers and its body; the trail says who did."""
    return Response(await dead_letters.message(principal, bundle, number), headers=_UNKEPT)


@post("/dead-letters/{number:int}/resend", opt={"verb": "execute", "large": True}, status_code=200)
async def resend_dead_letter(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    number: FromPath[int],
    data: JSONBody[ResendCommand],
) -> Resent:
    """Send a dead letter again to the group in which it died; what is given takes the place of what was."""
    return await dead_letters.resend(principal, bundle, number, data)


@post("/dead-letters/resend", opt={"verb": "execute"}, status_code=200)
async def resend_dead_letters(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    data: JSONBody[ResendManyCommand],
) -> list[DeadOutcomeView]:
    """Send dead letters again as they were; give what became of each."""
    return await dead_letters.resend_many(principal, bundle, data)


@post("/dead-letters/delete", opt={"verb": "execute"}, status_code=200)
async def delete_dead_letters(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    data: JSONBody[DeleteCommand],
) -> list[DeadOutcomeView]:
    """Delete dead letters, which their history keeps; give what became of each."""
    return await dead_letters.delete(principal, bundle, data)


@get("/dead-letter-history", opt={"verb": "read"}, dependencies=_asked)
async def list_dead_history(
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    asked: NamedDependency[Asked],
) -> release.Page[DeadActionView]:
    """List what was done with dead letters, by whom, the newest first."""
    return await dead_letters.history(bundle, asked)


@get("/dead-letter-history/{number:int}", opt={"verb": "read"})
async def read_dead_action(
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    number: FromPath[int],
) -> DeadActionDetail:
    """Read what was done with a dead letter, without messages."""
    return await dead_letters.action(bundle, number)


@get("/dead-letter-history/{number:int}/messages", opt={"verb": "reveal"})
async def reveal_dead_action(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    dead_letters: NamedDependency[DeadLetters],
    number: FromPath[int],
) -> Response[DeadActionMessages]:
    """Read the message as it died and as it was sent again; the trail says who did."""
    return Response(await dead_letters.action_messages(principal, bundle, number), headers=_UNKEPT)


def router(dead_letters: DeadLetters) -> Router:
    """Make the routes."""
    handlers: list[Any] = [
        list_dead_causes,
        list_dead_letters,
        read_dead_letter,
        reveal_dead_letter,
        resend_dead_letter,
        resend_dead_letters,
        delete_dead_letters,
        list_dead_history,
        read_dead_action,
        reveal_dead_action,
    ]
    return Router(
        path=f"/api/v1/{kinds.CAPABILITY}{PLACE}",
        route_handlers=handlers,
        dependencies={
            "bundle": Provide(provide_bundle),
            "dead_letters": Provide(lambda: dead_letters, sync_to_thread=False),
        },
        opt={"capability": kinds.CAPABILITY, "kind": KIND},
        tags=[kinds.CAPABILITY],
    )
