"""Event: something to be remembered, as its doer describes it."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from qiantang_server.kernel.access import Principal, Target


@dataclass(frozen=True, slots=True)
class Correlation:
    """What ties an audit row to the request and the trace that it came from."""

    request_id: str = ""
    trace_id: str = ""


_NOWHERE = Correlation()
CORRELATION: ContextVar[Correlation] = ContextVar("qiantang_audit_correlation", default=_NOWHERE)
"""Set once per request; every event recorded meanwhile carries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing done or refused. `action` is the permission that it needs.

    `changes` holds JSON values that say what is different now; secrets in them show as masks whatever the
    caller left in. `chain` is the tenant in whose trail it belongs, by default the target's: a refusal
    belongs to the home of whoever was refused, so that nobody writes into a stranger's trail. `count` is over
    one where refusals were folded together.
    """

    action: str
    target: Target
    actor_kind: str = ""
    actor_id: str = ""
    actor_name: str = ""
    address: str = ""
    session: str = ""
    resource: str = ""
    outcome: Literal["allow", "deny", "error"] = "allow"
    reason: str = ""
    changes: Sequence[Any] = ()
    chain: str = ""
    count: int = 1
    request_id: str = ""
    trace_id: str = ""

    @classmethod
    def by(cls, principal: Principal, action: str, target: Target, **details: Any) -> AuditEvent:
        """Describe what a principal did."""
        return cls(
            action=action,
            target=target,
            actor_kind=principal.kind,
            actor_id=principal.id,
            actor_name=principal.name,
            address=principal.address,
            session=principal.session,
            **details,
        )

    @classmethod
    def refused(cls, principal: Principal, action: str, target: Target, reason: str) -> AuditEvent:
        """Describe what a principal was not allowed to do, for the trail of his own home."""
        return cls.by(principal, action, target, outcome="deny", reason=reason, chain=principal.tenant or "*")
