"""Testing: a configuration without a server, for the tests of applications.

    def test_greeting_follows_its_setting() -> None:
        config = FakeConfig({"greeting": "hello", "db": {"url": "sqlite://"}})
        shop = Shop(config)  # binds, registers callbacks, as it does with app.config
        config.set({"greeting": "good evening"})  # callbacks have run when it returns
        assert shop.greet() == "good evening"

In an asyncio test write `await config.aset({...})`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from qiantang.config import model
from qiantang.config.client import ConfigClient, Failure
from qiantang.config.model import tree
from qiantang.kernel import resource, runtime, scope, wire

SCOPE = scope.Scope(tenant="test", environment="test", center="test", application="test")
NAMESPACE = "application"


class FakeConfig(ConfigClient):
    """The configuration of an application, held in a dict: everything of `app.config`, and `set` in the publisher's place.

    It is open from the beginning. Values are as JSON would hold them, nested or under dotted keys.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, *, secrets: Collection[str] = ()) -> None:
        super().__init__(SCOPE, "default")
        self._held: dict[str, Any] = {NAMESPACE: _nested(values or {})}
        self._secret_keys: dict[str, set[str]] = {NAMESPACE: set(secrets)}
        self._revision = 0
        runtime.register(self)
        runtime.call(self._release(self._held, self._secret_keys))

    def set(
        self, values: Mapping[str, Any], *, namespace: str = NAMESPACE, secrets: Collection[str] = ()
    ) -> list[Failure]:
        """Publish these values over those that are there, and wait for the callbacks; give those that failed.

        Raises:
            MismatchError: it does not fit a bound model; nothing changed.
            RuntimeError: called on an event loop, which would wait for itself: await `aset` there.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return runtime.call(self._set(values, namespace, secrets))
        raise RuntimeError("on an event loop, write `await config.aset(...)`: `set` would hold up the callbacks on it")

    async def aset(
        self, values: Mapping[str, Any], *, namespace: str = NAMESPACE, secrets: Collection[str] = ()
    ) -> list[Failure]:
        """Do as `set` does, in an asyncio test.

        Raises:
            MismatchError: it does not fit a bound model; nothing changed.
        """
        return await runtime.bridge(self._set(values, namespace, secrets))

    def remove(self, *keys: str, namespace: str = NAMESPACE) -> list[Failure]:
        """Publish without these dotted keys and all below them, as `set` does.

        Raises:
            MismatchError: a bound model cannot do without them; nothing changed.
        """
        return runtime.call(self._remove(keys, namespace))

    def after_fork(self) -> None:
        """Go on in a forked child with what is held."""
        self.forked()

    async def _set(self, values: Mapping[str, Any], namespace: str, secrets: Collection[str]) -> list[Failure]:
        merged = tree.thaw(tree.merge(self._held.get(namespace, {}), _nested(values)))
        known = self._secret_keys.get(namespace, set())
        return await self._release(
            {**self._held, namespace: merged}, {**self._secret_keys, namespace: known | set(secrets)}
        )

    async def _remove(self, keys: Collection[str], namespace: str) -> list[Failure]:
        flat = tree.flatten(self._held.get(namespace, {}))
        kept = {key: value for key, value in flat.items() if not _at_or_below(key, keys)}
        return await self._release({**self._held, namespace: tree.nest(kept)}, self._secret_keys)

    async def _release(self, held: dict[str, Any], secret_keys: dict[str, set[str]]) -> list[Failure]:
        entries = [_entry(name, data, secret_keys.get(name, set())) for name, data in sorted(held.items())]
        snapshot = resource.Snapshot(
            bundle=self.bundle,
            position=resource.Position(epoch=1, revision=self._revision + 1),
            digest=resource.snapshot_digest(entries),
            entries=entries,
        )
        await self.take({self.bundle: snapshot})
        self._revision += 1
        self._held, self._secret_keys = held, secret_keys
        return await self.settled()


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nest dotted keys, at the top and below."""
    return tree.nest(tree.flatten(values)) if values else {}


def _at_or_below(key: str, above: Collection[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in above)


def _entry(name: str, data: Any, secrets: Collection[str]) -> resource.Entry:
    content = wire.encode(model.Delivered(format="json", data=data, secrets=sorted(secrets)))
    return resource.Entry(
        kind=model.KIND, name=name, digest=resource.content_digest(content), content=msgspec.Raw(content)
    )
