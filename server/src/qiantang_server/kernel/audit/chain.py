"""Chain: how a record is written down exactly, and what its hash is taken over. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from qiantang.kernel import secret, wire
from qiantang_server.kernel.audit.event import CORRELATION, AuditEvent

PLATFORM_CHAIN = "*"
"""The chain of what belongs to no tenant."""

MAX_CHANGES = 64 * 1024
_LENGTHS = {
    "actor_kind": 16,
    "actor_id": 64,
    "actor_name": 128,
    "address": 64,
    "session": 64,
    "action": 128,
    "tenant": 64,
    "environment": 64,
    "center": 64,
    "application": 64,
    "resource": 256,
    "outcome": 8,
    "reason": 1000,
    "request_id": 64,
    "trace_id": 64,
}
FIELDS = ("chain", "seq", "at", *_LENGTHS, "changes", "count", "previous")


class Record(wire.Wire, frozen=True):
    """One record of the trail as it is shown. `previous` and `hash` chain it to its neighbours."""

    chain: str
    seq: int
    at: int
    actor_kind: str
    actor_id: str
    actor_name: str
    address: str
    session: str
    action: str
    tenant: str
    environment: str
    center: str
    application: str
    resource: str
    outcome: str
    reason: str
    changes: list[Any]
    count: int
    request_id: str
    trace_id: str
    previous: str
    hash: str


def start_hash(chain: str) -> str:
    """Give the hash that the first record of a chain stands on."""
    return hashlib.sha256(f"qiantang-audit-v1\n{chain}".encode()).hexdigest()


def written(event: AuditEvent) -> dict[str, Any]:
    """Give an event as it is stored: bounded in length, secrets masked, text that every database takes."""
    correlation = CORRELATION.get()
    values = {
        "actor_kind": event.actor_kind,
        "actor_id": event.actor_id,
        "actor_name": event.actor_name,
        "address": event.address,
        "session": event.session,
        "action": event.action,
        "tenant": event.target.tenant,
        "environment": event.target.environment,
        "center": event.target.center,
        "application": event.target.application,
        "resource": event.resource,
        "outcome": event.outcome,
        "reason": event.reason,
        "request_id": event.request_id or correlation.request_id,
        "trace_id": event.trace_id or correlation.trace_id,
    }
    stored: dict[str, Any] = {name: _clean(text, _LENGTHS[name]) for name, text in values.items()}
    return stored | {"changes": _changes(event), "count": event.count}


def record_hash(values: Mapping[str, Any]) -> str:
    """Give the hash of a record: SHA-256 over the canonical JSON of all its fields, the one before's hash
    among them.
    """
    return hashlib.sha256(wire.encode({name: values[name] for name in FIELDS})).hexdigest()


def shown(values: Mapping[str, Any]) -> Record:
    """Give a stored record as it is shown."""
    fields = {name: values[name] for name in (*FIELDS, "hash")}
    return Record(**(fields | {"changes": msgspec.json.decode(values["changes"])}))


def _clean(text: str, length: int) -> str:
    """Cut to a bound and drop what one of the databases refuses: NUL and half a surrogate pair."""
    return text[:length].encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _changes(event: AuditEvent) -> str:
    text = wire.encode(secret.mask(wire.builtins(list(event.changes))))
    if len(text) > MAX_CHANGES:
        digest = hashlib.sha256(text).hexdigest()
        text = wire.encode([{"omitted": "larger than an audit row holds", "bytes": len(text), "sha256": digest}])
    return text.decode()
