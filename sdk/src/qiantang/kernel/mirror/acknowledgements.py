"""Acknowledgements: tells the control plane what is held, a moment after it changed, and what changed meanwhile with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import msgspec

from qiantang.kernel import errors, protocol, resource, scope
from qiantang.kernel.mirror.pace import Pace
from qiantang.kernel.uplink import Uplink

GATHER_SECONDS = 0.2
"""How long a word waits, give or take half: when a release reaches many, all can fetch it before the first acknowledges."""
MAX_HELD = 256


class Acknowledgements:
    """The newest word on each bundle, and what of it is still unsaid. A call that fails is made again, spread out."""

    def __init__(self, uplink: Uplink, application: scope.Scope, instance: scope.Instance, pace: Pace) -> None:
        self.instance = instance
        self._uplink = uplink
        self._scope = application
        self._pace = pace
        self._latest: dict[resource.Bundle, protocol.Held] = {}
        self._unsaid: set[resource.Bundle] = set()
        self._sender: asyncio.Task[None] | None = None

    @property
    def latest(self) -> dict[resource.Bundle, protocol.Held]:
        """The newest word on each bundle, as a copy."""
        return dict(self._latest)

    def held(self) -> list[protocol.Held]:
        """Give the newest words, for the opening of a stream."""
        return list(self._latest.values())[:MAX_HELD]

    def after_fork(self) -> None:
        """Forget the parent's task; the child tells all anew when it opens its stream."""
        self._sender = None

    def put(self, words: Iterable[protocol.Held]) -> None:
        """Take new words; what is the same as before but for the time it took is not said again."""
        for word in words:
            before = self._latest.get(word.bundle)
            if before is None or msgspec.structs.replace(before, took_ms=word.took_ms) != word:
                self._unsaid.add(word.bundle)
            self._latest[word.bundle] = word
        if self._unsaid and self._sender is None:
            self._sender = asyncio.ensure_future(self._send())

    def keep_only(self, bundles: Iterable[resource.Bundle]) -> None:
        """Forget bundles that are not held any more."""
        kept = set(bundles)
        self._latest = {bundle: word for bundle, word in self._latest.items() if bundle in kept}
        self._unsaid &= kept

    async def close(self) -> None:
        """Say what is unsaid, if that can be done at once, and stop."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.cancel()
        if self._unsaid:
            with contextlib.suppress(errors.QiantangError):
                await self._say(deadline=0.5)

    async def _send(self) -> None:
        failures = 0
        while self._unsaid:
            await asyncio.sleep(self._pace.spread(GATHER_SECONDS))
            try:
                await self._say(deadline=5.0)
                failures = 0
            except errors.InvalidRequestError:
                self._unsaid.clear()  # saying it again changes nothing
            except errors.QiantangError:
                failures += 1
                await asyncio.sleep(self._pace.retry(failures + 1))
        self._sender = None

    async def _say(self, deadline: float) -> None:
        saying = list(self._unsaid)[:MAX_HELD]
        words = [self._latest[bundle] for bundle in saying]
        self._unsaid.difference_update(saying)
        message = protocol.Acknowledgement(scope=self._scope, instance=self.instance, held=words)
        try:
            await self._uplink.request(
                "POST", protocol.ACKNOWLEDGE_PATH, message, type(None), deadline=deadline, idempotent=True
            )
        except BaseException:
            self._unsaid.update(bundle for bundle in saying if bundle in self._latest)
            raise
