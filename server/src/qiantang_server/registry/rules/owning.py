"""Owning: who may register under a name, how sessions and votes are kept apart, and which of two processes is later."""

from __future__ import annotations

import hashlib

from qiantang.kernel import scope
from qiantang.registry.errors import NotOwnNameError
from qiantang.registry.model import Vote


def require_own(caller: scope.Scope, microservice: str) -> None:
    """Pass where a microservice is the application's own.

    Raises:
        NotOwnNameError: it has another name.
    """
    if microservice != caller.application:
        raise NotOwnNameError(
            f"{caller} registers nodes and publishes definitions for the microservice {caller.application} only, which has "
            f"its own name, and not for {microservice}"
        )


def session_key(session: str, caller: scope.Scope) -> str:
    """Give the key that a session is kept under: what one application was given is nothing in the hands of another."""
    return _digest(session, str(caller))


def vote_key(caller: scope.Scope, microservice: str, vote: Vote) -> str:
    """Give the key of a vote: applications do not speak for each other, whatever they call their voters."""
    return _digest(str(caller), microservice, vote.service, vote.node, vote.voter)


def is_later(there: float, here: float, *, had: bool) -> bool:
    """Say whether the process that has a name now is the later one, from when the two started.

    Where this one `had` the name in the session that it is in, the other one took it since: on purpose.
    """
    return had or there > here


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
