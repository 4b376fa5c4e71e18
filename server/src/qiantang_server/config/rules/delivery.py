"""Delivery: what instances receive of a namespace, and what it links them to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qiantang.config import model
from qiantang.kernel import errors, wire
from qiantang_server.config.rules import contents
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits


class UndeliverableError(errors.InvalidRequestError):
    """A namespace that was published holds what cannot be read; each problem says where."""

    code = "config.undeliverable"


def deliver(body: Any, limits: NamespaceLimits = DEFAULT) -> model.Delivered:
    """Turn a body (built-in JSON values, secrets opened) into what instances receive.

    Raises:
        UndeliverableError: the body cannot be read, which its check would have said.
        SealedError: a secret is not open.
    """
    namespace = wire.convert(body, model.Namespace)
    read = contents.read(namespace, limits)
    if read.problems:
        raise UndeliverableError("the namespace cannot be delivered", problems=list(read.problems))
    if read.sealed:
        raise contents.SealedError(f"the secret {read.sealed[0] or 'document'!r} is not open, so it is not delivered")
    return model.Delivered(
        format=namespace.format,
        data=read.data,
        public=namespace.public,
        inherits=namespace.inherits,
        secrets=sorted(".".join(map(str, path)) for path in read.secrets),
    )


def is_public(body: Any) -> bool:
    """Say whether other applications may inherit the namespace."""
    return wire.convert(body, model.Namespace).public


def links(body: Any) -> Sequence[tuple[str, str]]:
    """Give the center and application whose public namespace this one inherits."""
    inherits = wire.convert(body, model.Namespace).inherits
    if not inherits:
        return ()
    reference = model.Reference.parse(inherits)
    return ((reference.center, reference.application),)
