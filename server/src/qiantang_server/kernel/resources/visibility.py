"""Visibility: which bundles somebody may see or act on, as a condition in SQL and as the same question in memory."""

from __future__ import annotations

import sqlalchemy as sa

from qiantang.kernel import resource
from qiantang_server.kernel.access import Columns, Principal, Target, visible
from qiantang_server.kernel.resources.kinds import Kinds


def bundles(
    principal: Principal, kinds: Kinds, verb: str, columns: Columns, capability: sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    """Give the condition under which a row about a bundle is one on which the principal has the verb."""
    return sa.or_(
        sa.false(),
        *(
            sa.and_(capability == name, visible(principal, kinds.of_bundle(name, verb), columns))
            for name in kinds.capabilities()
        ),
    )


def may(principal: Principal, kinds: Kinds, verb: str, bundle: resource.Bundle) -> bool:
    """Say whether the principal has the verb on a bundle, whether it is there or not."""
    if bundle.capability not in kinds.capabilities():
        return False
    return principal.allows(kinds.of_bundle(bundle.capability, verb), Target.of(bundle.scope))
