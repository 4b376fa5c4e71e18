"""Effective: what an instance sees, value by value, and where each comes from."""

from __future__ import annotations

from typing import Any

from qiantang.config import model
from qiantang.config.model import tree
from qiantang.config.model.answers import EffectiveValue, EffectiveView, ShadowedValue
from qiantang.kernel import resource, scope
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.watch import Watch

REVEAL = "config.namespace:reveal"
MASK = "••••••"


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
        """Explain with secrets in plain text, and write down who saw them.

        Raises:
            NotPermittedError: the reader may not see secrets there.
        """
        place = access.Target.of(bundle.scope)
        access.require(principal, REVEAL, place)
        event = audit.AuditEvent.by(principal, REVEAL, place, resource=f"config/effective/{namespace}/{key}"[:256])
        await self._database.write(lambda session: audit.record(session, event))
        return await self._view(bundle, instance, namespace, key, reveal=True)

    async def view(
        self, bundle: resource.Bundle, instance: scope.Instance, *, namespace: str = "", key: str = ""
    ) -> EffectiveView:
        """Explain what an instance of this name, cluster and labels sees: all, or one namespace, or what is under a key."""
        return await self._view(bundle, instance, namespace, key, reveal=False)

    async def _view(
        self, bundle: resource.Bundle, instance: scope.Instance, namespace: str, key: str, *, reveal: bool
    ) -> EffectiveView:
        deliveries = self._watch.deliveries
        own = await deliveries.snapshot(bundle, instance)
        linked = [await deliveries.snapshot(link, instance, public_only=True) for link in own.links]
        merged = model.effective.effective(own, linked, instance.cluster)
        values: list[EffectiveValue] = []
        missing: list[str] = []
        for name, found in merged.namespaces.items():
            if namespace in {"", name}:
                values += [_value(name, one, reveal=reveal) for one in found.explain(key)]
                missing += [f"{name}: {found.missing}"] if found.missing else []
        return EffectiveView(cluster=instance.cluster, values=values, missing=missing)


def _value(namespace: str, found: model.effective.Explanation, *, reveal: bool) -> EffectiveValue:
    return EffectiveValue(
        namespace=namespace,
        key=found.path,
        value=_shown(found.value, hidden=found.secret and not reveal),
        origin=str(found.origin),
        secret=found.secret,
        inherited=found.origin.inherited,
        gray=found.origin.gray,
        shadowed=[
            ShadowedValue(value=_shown(one.value, hidden=one.secret and not reveal), origin=str(one.origin))
            for one in found.shadowed
        ],
    )


def _shown(value: Any, *, hidden: bool) -> Any:
    return MASK if hidden else tree.thaw(value)
