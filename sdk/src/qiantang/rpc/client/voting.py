"""Voting: consumers of a microservice tell each other over its registry which nodes their breakers keep out.

Each has one vote on a node, and says beside that it is there, so that a quorum of those who live can be found. A vote is written
again with another number while it holds; one that did not change for its lifetime counts no more, whatever the registry shows.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, Self, TypeVar

from qiantang.kernel import errors
from qiantang.registry.errors import RegistryAwayError, RegistryReadOnlyError
from qiantang.registry.model import Vote
from qiantang.registry.port import Registry
from qiantang.registry.port.bounds import check_microservice, check_node_name
from qiantang.rpc.client.governing import Governor, Heard, Standing
from qiantang.rpc.governance.votes import Ballot

T = TypeVar("T")
log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 3.0
JITTER: Final = 0.25
MOST_SAID: Final = 50
"""Votes that are written at one look; the others at the next ones."""
LEAVE_SECONDS: Final = 2.0
PRESENCE: Final = "0:consumers"
"""In place of a node: whose vote is on this is there."""
_HERE: Final = "here"
_OPEN: Final = "open"


class Governs(Protocol):
    """A caller whose rules and breakers are looked at where it works."""

    async def governed(self, function: Callable[[Governor[Any]], T]) -> T:
        """Have a function look at them."""
        ...


class Voting:
    """Of one consumer (`voter`, which no other one is called) and one microservice that it follows; an async context manager of the
    loop that opened the registry. Leaving takes back what was said.

    A registry that is away changes nothing but the age of what is known. In one that it may only read it says nothing, of which the
    log tells once, and hears others if there are any.
    """

    def __init__(
        self,
        registry: Registry,
        microservice: str,
        caller: Governs,
        voter: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.microservice = check_microservice(microservice)
        self.voter = check_node_name(voter, "the voter")
        self._registry = registry
        self._caller = caller
        self._clock = clock
        self._chance = random.Random()  # noqa: S311  # spreads looks; nobody gains by guessing it
        self._ballots: dict[str, Ballot] = {}
        self._present: set[str] = set()
        self._heard: dict[tuple[str, str, str], tuple[str, float]] = {}
        self._gone: set[tuple[str, str, str]] = set()
        self._consumers: dict[str, set[str]] = {}
        self._number = 0
        self._is_mute = False
        self._said = ""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=f"votes: {self.microservice}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take back what was said, and forget what was heard."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        now = self._clock()
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._caller.governed(lambda governor: governor.hear(self.microservice, {}, self.voter, now))
                await self._take_back()
        except (errors.QiantangError, TimeoutError) as error:
            log.info("votes are left to the registry to forget", extra=self._extra(error))

    async def look(self) -> None:
        """Say and hear once; it is done by itself every few seconds.

        Raises:
            QiantangError: the registry cannot be written or read now.
        """
        now = self._clock()
        standings = await self._caller.governed(lambda governor: governor.standings(self.microservice, now))
        try:
            await self._say(standings, now)
            self._take(await self._registry.votes(self.microservice), now)
        finally:
            await self._tell(now)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
                self._said = ""
            except Exception as error:  # a fault of an adapter must not end it either
                self._tell_failed(error)
            await asyncio.sleep(LOOK_SECONDS * (1 + JITTER * (2 * self._chance.random() - 1)))

    # -- what this consumer says -------------------------------------------------------------------------

    async def _say(self, standings: dict[str, Standing], now: float) -> None:
        for service, standing in standings.items():
            ballot = self._ballots.setdefault(service, Ballot(standing.rule))
            ballot.configure(standing.rule)
            ballot.keep(standing.nodes | ballot.open)
            if service not in self._present and await self._vote(service, PRESENCE, _HERE):
                self._present.add(service)
        left = MOST_SAID
        for service, node, is_open in self._words(standings):
            if left and self._ballots[service].may_say(node, is_open, now):
                left -= 1
                self._number += 1
                await self._vote(service, node, f"{_OPEN} {self._number}" if is_open else "")

    def _words(self, standings: dict[str, Standing]) -> Iterator[tuple[str, str, bool]]:
        """Give what there is to say. A vote is not renewed once it is time to try the node again: who has no calls lets it end."""
        for service, standing in standings.items():
            ballot = self._ballots[service]
            kept_out = standing.kept_out if standing.rule.mode != "off" else {}
            for node in sorted(ballot.open - kept_out.keys()):
                yield service, node, False
            for node, is_late in sorted(kept_out.items()):
                if not (is_late and node in ballot.open):
                    yield service, node, True

    async def _vote(self, service: str, node: str, value: str) -> bool:
        """Say it, and whether it is said: a registry that is away hears it when it is back. What is refused is known here alone."""
        if self._is_mute:
            return False
        vote = Vote(service=service, node=node, voter=self.voter, value=value)
        try:
            await self._registry.vote(self.microservice, vote)
        except RegistryReadOnlyError as error:
            self._is_mute = True
            log.info("this consumer does not tell others which nodes it keeps out", extra=self._extra(error))
            return False
        except errors.QiantangError as error:
            self._tell_failed(error)
            return isinstance(error, RegistryAwayError)
        return True

    async def _take_back(self) -> None:
        for service, ballot in self._ballots.items():
            for node in sorted(ballot.open):
                await self._vote(service, node, "")
        for service in sorted(self._present):
            await self._vote(service, PRESENCE, "")

    # -- what others say ---------------------------------------------------------------------------------

    def _take(self, votes: tuple[Vote, ...], now: float) -> None:
        """Take all votes there are. What did not change is as old as it was."""
        heard: dict[tuple[str, str, str], tuple[str, float]] = {}
        self._consumers = {}
        for vote in votes:
            key = vote.service, vote.node, vote.voter
            if vote.node == PRESENCE:
                self._consumers.setdefault(vote.service, set()).add(vote.voter)
            elif vote.value.startswith(_OPEN):
                before = self._heard.get(key)
                heard[key] = before if before is not None and before[0] == vote.value else (vote.value, now)
        self._gone = self._heard.keys() - heard.keys()
        self._heard = heard

    async def _tell(self, now: float) -> None:
        services = {service for service, _, _ in self._heard} | self._ballots.keys() | self._consumers.keys()
        told = {service: self._of(service) for service in services}
        await self._caller.governed(lambda governor: governor.hear(self.microservice, told, self.voter, now))

    def _of(self, service: str) -> Heard:
        votes = {(node, voter): at for (of, node, voter), (_, at) in self._heard.items() if of == service}
        gone = [(node, voter) for of, node, voter in self._gone if of == service]
        return Heard(votes, gone, frozenset(self._consumers.get(service, ())))

    def _tell_failed(self, error: Exception) -> None:
        """Log what keeps it from voting, once for each reason."""
        if repr(error) != self._said:
            self._said = repr(error)
            log.warning(
                "consumers hear nothing of each other; what is known counts for a while", extra=self._extra(error)
            )

    def _extra(self, error: BaseException) -> dict[str, object]:
        reason = str(error) or type(error).__name__
        return {"microservice": self.microservice, "voter": self.voter, "reason": reason}
