"""Guard: the one question before anything is done, for requests, jobs and streams alike."""

from __future__ import annotations

from qiantang.kernel import errors
from qiantang_server.kernel.access.explanation import explain
from qiantang_server.kernel.access.principal import Principal
from qiantang_server.kernel.access.target import ANY, Target


class NotPermittedError(errors.ForbiddenError):
    """Known to the platform, and lacking this permission in this place; `facts` name both, and the nearest
    miss.
    """

    code = "access.not_permitted"


def require(principal: Principal, permission: str, target: Target) -> None:
    """Let pass or raise.

    The verb `list` needs the permission on a part of the target only: a list shows what `visible` lets
    through.

    Raises:
        NotFoundError: the principal may not even know that the tenant exists.
        NotPermittedError: the permission is not granted there.
    """
    if principal.allows(permission, target):
        return
    if permission.endswith(":list") and principal.reaches(permission, target):
        return
    if target.tenant != ANY and not principal.knows(target.tenant):
        raise errors.NotFoundError(f"there is no tenant {target.tenant!r}, or it is not visible to you")
    answer = explain(principal, permission, target)
    facts = {"permission": permission, "scope": str(target)}
    if answer.misses:
        facts["nearest"] = str(answer.misses[0])
    raise NotPermittedError(f"{principal.name or principal.id}: {answer}", facts=facts)
