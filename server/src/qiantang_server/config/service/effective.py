"""Effective: what an instance sees, value by value, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qiantang.config import model
from qiantang.config.model import tree
from qiantang.config.model.answers import EffectiveValue, EffectiveView, ShadowedValue
from qiantang.kernel import resource, scope
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.watch import Watch

REVEAL = "config.namespace:reveal"
MASK = "••••••"
_Shows = Callable[[model.effective.Origin], bool]


class EffectiveSettings:
    """Merges what would be delivered, with the very code that the sdk merges with."""

    def __init__(self, watch: Watch, database: storage.Database) -> None:
        self._watch = watch
        self._database = database

    async def reveal(
        self,
        principal: access.Principal,
        bundle: resource.Bundle,
        instance: scope.Instance,
        *,
        namespace: str = "",
        key: str = "",
    ) -> EffectiveView:
        """Explain with secrets in plain text, and write down who saw them, in the trail of each place that they are from.
        What is inherited is shown to those alone who may see the secrets of the application that it comes from.

        Raises:
            NotPermittedError: the reader may not see secrets there.
        """
        access.require(principal, REVEAL, access.Target.of(bundle.scope))
        seen = {bundle.scope}

        def shows(origin: model.effective.Origin) -> bool:
            shown = principal.allows(REVEAL, access.Target.of(origin.bundle.scope))
            if shown:
                seen.add(origin.bundle.scope)
            return shown

        found = await self._view(bundle, instance, namespace, key, shows)
        name = f"config/effective/{namespace}/{key}"[:256]

        async def record(session: storage.Session) -> None:
            for place in sorted(seen):
                await audit.record(
                    session, audit.AuditEvent.by(principal, REVEAL, access.Target.of(place), resource=name)
                )

        await self._database.write(record)
        return found

    async def view(
        self, bundle: resource.Bundle, instance: scope.Instance, *, namespace: str = "", key: str = ""
    ) -> EffectiveView:
        """Explain what an instance of this name, cluster and labels sees: all, or one namespace, or what is under a key."""
        return await self._view(bundle, instance, namespace, key, lambda _origin: False)

    async def _view(
        self, bundle: resource.Bundle, instance: scope.Instance, namespace: str, key: str, shows: _Shows
    ) -> EffectiveView:
        deliveries = self._watch.deliveries
        own = await deliveries.snapshot(bundle, instance)
        linked = [await deliveries.snapshot(link, instance, public_only=True) for link in own.links]
        merged = model.effective.effective(own, linked, instance.cluster)
        values: list[EffectiveValue] = []
        missing: list[str] = []
        for name, found in merged.namespaces.items():
            if namespace in {"", name}:
                values += [_value(name, one, shows) for one in found.explain(key)]
                missing += [f"{name}: {found.missing}"] if found.missing else []
        return EffectiveView(cluster=instance.cluster, values=values, missing=missing)


def _value(namespace: str, found: model.effective.Explanation, shows: _Shows) -> EffectiveValue:
    return EffectiveValue(
        namespace=namespace,
        key=found.path,
        value=_shown(found.value, hidden=found.secret and not shows(found.origin)),
        origin=str(found.origin),
        secret=found.secret,
        inherited=found.origin.inherited,
        gray=found.origin.gray,
        shadowed=[
            ShadowedValue(value=_shown(one.value, hidden=one.secret and not shows(one.origin)), origin=str(one.origin))
            for one in found.shadowed
        ],
    )


def _shown(value: Any, *, hidden: bool) -> Any:
    return MASK if hidden else tree.thaw(value)
