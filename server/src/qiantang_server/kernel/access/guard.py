"""Guard: the one question before anything is done, for requests, jobs and streams alike."""

from __future__ import annotations

from dataclasses import dataclass

from qiantang.kernel import errors
from qiantang_server.kernel.access.explanation import explain
from qiantang_server.kernel.access.principal import Principal
from qiantang_server.kernel.access.target import ANY, Target


@dataclass(slots=True)
class Refused:
    """What was refused where; `recorded` once it is in the trail, so that it gets there once however it travels."""

    permission: str
    target: Target
    recorded: bool = False


class NotPermittedError(errors.ForbiddenError):
    """Known to the platform, and lacking this permission in this place; `facts` name both, and the nearest
    miss.
    """

    code = "access.not_permitted"
    refused: Refused | None = None


class NotVisibleError(errors.NotFoundError):
    """There, perhaps; but in a tenant of which the principal may not even know whether it exists."""

    refused: Refused | None = None


def require(principal: Principal, permission: str, target: Target) -> None:
    """Let pass or raise.

    The verb `list` needs the permission on a part of the target only: a list shows what `visible` lets
    through.

    Raises:
        NotVisibleError: the principal may not even know that the tenant exists.
        NotPermittedError: the permission is not granted there.
    """
    if principal.allows(permission, target):
        return
    if permission.endswith(":list") and principal.reaches(permission, target):
        return
    require_known(principal, permission, target)
    answer = explain(principal, permission, target)
    facts = {"permission": permission, "scope": str(target)}
    if answer.misses:
        facts["nearest"] = str(answer.misses[0])
    error = NotPermittedError(f"{principal.name or principal.id}: {answer}", facts=facts)
    error.refused = Refused(permission, target)
    raise error


def require_known(principal: Principal, permission: str, target: Target) -> None:
    """Let pass whoever may know that the target's tenant exists; `permission` is what he wanted there.

    Raises:
        NotVisibleError: he may not; said in the words that are used where there is none.
    """
    if target.tenant == ANY or principal.knows(target.tenant):
        return
    error = NotVisibleError(f"there is no tenant {target.tenant[:80]!r}, or it is not visible to you")
    error.refused = Refused(permission, target)
    raise error
