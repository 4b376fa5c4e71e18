"""Namespace: a set of settings that is edited, published and delivered as one resource."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from qiantang.kernel import errors, resource, scope, secret, wire

CAPABILITY = "config"
KIND = "namespace"

Format = Literal["properties", "yaml", "json", "toml", "text"]
ItemType = Literal["string", "number", "boolean", "json"]

_Comment = Annotated[str, msgspec.Meta(max_length=4000)]


class Item(wire.Command, frozen=True, omit_defaults=True):
    """One setting of a namespace in properties format. `type` says how the text of `value` is read."""

    value: str | secret.Secret
    type: ItemType = "string"
    comment: _Comment = ""


class Namespace(wire.Command, frozen=True, omit_defaults=True):
    """The body of a resource of kind "namespace".

    `items` hold the settings in properties format, `document` the text in every other; the one that is not
    of the format stays empty. `inherits` names a public namespace as center/application/namespace. `schema`
    is a JSON Schema.
    """

    format: Format
    items: dict[str, Item] = msgspec.field(default_factory=dict[str, Item])
    document: str | secret.Secret = ""
    public: bool = False
    inherits: Annotated[str, msgspec.Meta(max_length=200)] = ""
    schema: str = ""
    description: _Comment = ""


class Delivered(wire.Wire, frozen=True, omit_defaults=True):
    """What instances receive of a namespace.

    `data` is the tree of settings, or the text itself in text format. `secrets` are the dotted paths of the
    secrets in it; the empty path means that the whole is one.
    """

    format: Format
    data: Any
    public: bool = False
    inherits: str = ""
    secrets: list[str] = msgspec.field(default_factory=list[str])

    def __repr__(self) -> str:
        """Never show the data: secrets are in it."""
        return f"Delivered(format={self.format!r}, public={self.public!r}, inherits={self.inherits!r})"


class NamespaceName(msgspec.Struct, frozen=True, order=True):
    """The name of a namespace, and the cluster it is for; the cluster is empty where it is for all.

    Written `application`, or `application@cluster`.
    """

    name: str
    cluster: str = ""

    def __str__(self) -> str:
        """Read as name or name@cluster."""
        return f"{self.name}@{self.cluster}" if self.cluster else self.name

    @classmethod
    def parse(cls, text: str) -> NamespaceName:
        """Read what `str` wrote.

        Raises:
            InvalidRequestError: not a name, or two with an @ between them.
        """
        name, at, cluster = text.partition("@")
        scope.check_name(name, "namespace")
        if at:
            scope.check_name(cluster, "cluster of the namespace")
        return cls(name=name, cluster=cluster)


def check_name(text: str) -> None:
    """Refuse what is not the name of a namespace.

    Raises:
        InvalidRequestError: not a name, or two with an @ between them.
    """
    NamespaceName.parse(text)


class Reference(msgspec.Struct, frozen=True, order=True):
    """A public namespace in the same tenant and environment: center/application/namespace."""

    center: str
    application: str
    namespace: str

    def __str__(self) -> str:
        """Read as center/application/namespace."""
        return f"{self.center}/{self.application}/{self.namespace}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read what `str` wrote.

        Raises:
            InvalidRequestError: not three names with slashes between them.
        """
        parts = text.split("/")
        if len(parts) != 3:
            raise errors.InvalidRequestError(
                f"{text[:200]!r} does not name a public namespace: write center/application/namespace"
            )
        for part, what in zip(parts, ("center", "application", "namespace"), strict=True):
            scope.check_name(part, what)
        return cls(center=parts[0], application=parts[1], namespace=parts[2])

    def bundle(self, seen_from: scope.Scope) -> resource.Bundle:
        """Give the bundle that holds the namespace, for an application in `seen_from`."""
        place = scope.Scope(
            tenant=seen_from.tenant,
            environment=seen_from.environment,
            center=self.center,
            application=self.application,
        )
        return resource.Bundle(scope=place, capability=CAPABILITY)
