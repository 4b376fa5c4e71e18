"""Holders of every role on a running platform with two tenants, and what each may do by the words of his role alone."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from qiantang.kernel import ids, protocol
from qiantang_server.identity.rules import roles
from tests.api import services
from tests.api.routes import ANY, DECLARED, Place
from tests.servers.platform import PASSWORD, Api, Platform
from tests.servers.product import eventually

OWN = {"tenant": "acme", "environment": "dev", "center": "trade", "application": "order"}
FOREIGN = {"tenant": "globex", "environment": "prod", "center": "bank", "application": "ledger"}
MISSING = {"tenant": "nowhere", "environment": "prod", "center": "bank", "application": "ledger"}
MARK = "belongs-to-globex"
"""Stands in every text of the other tenant."""


@dataclass(frozen=True)
class Holder:
    """Somebody with the lines of a role in the places of a pattern; `tenant` is his home."""

    name: str
    lines: Sequence[str]
    pattern: Place
    api: Api = field(repr=False)
    tenant: str = "acme"

    def knows(self, tenant: str) -> bool:
        return self.pattern[0] == ANY or tenant in {self.tenant, ANY}

    def holds(self, permission: str) -> bool:
        """Say whether his role's lines come to a permission, taking them at their word."""
        assert permission in DECLARED
        given = any(_fits(line, permission) for line in self.lines if not line.startswith("!"))
        return given and not any(_fits(line[1:], permission) for line in self.lines if line.startswith("!"))

    def may(self, permission: str, place: Place) -> bool:
        """Say whether he may do this to the whole of a place; for a list a part is enough, but of what is the platform's."""
        if not (self.holds(permission) and self.knows(place[0])):
            return False
        if permission.endswith(":list") and not permission.startswith("platform."):
            return all(
                ANY in (mine, theirs) or mine == theirs for mine, theirs in zip(self.pattern, place, strict=True)
            )
        return all(mine in (ANY, theirs) for mine, theirs in zip(self.pattern, place, strict=True))


def _fits(line: str, permission: str) -> bool:
    kinds, _, verb = line.rpartition(":")
    kind, _, wanted = permission.rpartition(":")
    return fnmatch.fnmatchcase(kind, kinds) and verb in (ANY, wanted)


class House:
    """Two tenants, in both the same kinds of things, and holders in the first."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.root = platform.administrator()
        self.credentials = {names["tenant"]: self._estate(names) for names in (OWN, FOREIGN)}
        self.foreign_user = self._user("globex", f"gil-{MARK}")
        self.foreign_grant = self._grant(self.foreign_user, "tenant-admin", "globex")
        self.root.call(
            "POST", "identity/tenants/globex/roles", {"name": "keeper", "title": MARK, "permissions": ["config.*:read"]}
        )
        self.foreign_request = self._asked_for()
        self.holders = [self._holder(name, pattern) for name, pattern in _PATTERNS.items()]
        self.holders.append(self._application())
        self.holders.append(self._member())

    def _estate(self, names: dict[str, str]) -> dict[str, Any]:
        tenant, _, center, application = names.values()
        scope = "/".join(names.values())
        issued = self.root.make_application(scope)
        if names is FOREIGN:
            self.root.call("PATCH", f"identity/tenants/{tenant}", {"title": MARK})
            self.root.call("PATCH", f"identity/tenants/{tenant}/centers/{center}", {"title": MARK})
            self.root.call(
                "PATCH", f"identity/tenants/{tenant}/centers/{center}/applications/{application}", {"title": MARK}
            )
        word = MARK if names is FOREIGN else "own"
        self.root.set(scope, {"motto": word, "pw": _secret(word)})
        self.root.publish(scope, message=word)
        self.root.set(scope, {"motto": f"{word} soon", "pw": _secret(word)})
        return issued

    def _asked_for(self) -> str:
        """Have the other tenant's application provide a service, and another one ask for it."""
        provider, consumer = "/".join(FOREIGN.values()), "globex/prod/bank/teller"
        services.serve(self.root, provider, state="online", access="subscribers", description=MARK)
        self.root.make_application(consumer)
        return services.ask(self.root, consumer, provider, MARK)

    def _user(self, tenant: str, name: str) -> str:
        path = f"identity/tenants/{tenant}/users" if tenant else "identity/users"
        return str(self.root.call("POST", path, {"name": name, "password": PASSWORD})["id"])

    def _grant(self, user: str, role: str, pattern: str) -> str:
        return str(self.root.call("POST", "identity/grants", {"user": user, "role": role, "pattern": pattern})["id"])

    def _holder(self, role: str, pattern: Place) -> Holder:
        tenant = "" if pattern[0] == ANY else "acme"
        user = self._user(tenant, f"u-{role}")
        self._grant(user, role, ANY if not tenant else "/".join(pattern))
        api = self._signed_in(f"u-{role}", tenant)
        return Holder(role, roles.BUILT_IN[role].permissions, pattern, api, tenant)

    def _member(self) -> Holder:
        self._user("acme", "u-member")
        return Holder("member", (), _WHOLE, self._signed_in("u-member", "acme"))

    def _application(self) -> Holder:
        issued = self.credentials["acme"]
        place: Place = ("acme", "dev", "trade", "order")
        return Holder("application", roles.APPLICATION, place, self.platform.as_bearer(self.token(issued)))

    def token(self, issued: dict[str, Any]) -> str:
        """Exchange a credential for a bearer token."""
        now = self.platform_time()
        nonce = ids.secret_token()[:32]
        signature = protocol.sign(protocol.signing_key(issued["secret"]), issued["id"], now, nonce)
        request = protocol.TokenRequest(credential=issued["id"], timestamp=now, nonce=nonce, signature=signature)
        answer = httpx.post(
            f"{self.platform.address}{protocol.TOKEN_PATH}", json=msgspec.to_builtins(request), timeout=30
        )
        return str(answer.raise_for_status().json()["token"])

    def platform_time(self) -> int:
        return time.time_ns() // 1_000_000

    def _signed_in(self, name: str, tenant: str) -> Api:
        with httpx.Client(base_url=self.platform.address, timeout=30) as client:
            body = {"name": name, "password": PASSWORD, "tenant": tenant}
            client.post("/api/v1/identity/login", json=body).raise_for_status()
            made = client.post(
                "/api/v1/identity/tokens",
                json={"name": "tests", "lifetime_days": 1},
                headers={"X-Qiantang": "1", "Origin": self.platform.address},
            )
            return self.platform.as_bearer(str(made.raise_for_status().json()["token"]))

    def denied(self, chain: str = "acme", **wanted: str) -> list[dict[str, Any]]:
        """Give the refusals in a tenant's trail, newest first."""
        path = f"audit/tenants/{chain}/records" if chain != ANY else "audit/records"
        query = "&".join(f"{key}={value}" for key, value in {"outcome": "deny", "limit": "500", **wanted}.items())
        return list(self.root.call("GET", f"{path}?{query}")["items"])

    def eventually_denied(self, **wanted: str) -> dict[str, Any]:
        """Wait for a refusal to be in the trail and give it."""
        return eventually(lambda: self.denied(**wanted), f"a refusal {wanted}")[0]


def _secret(value: str) -> dict[str, Any]:
    return {"value": {"$secret": {"value": value}}}


_WHOLE: Place = ("acme", ANY, ANY, ANY)
_PATTERNS: dict[str, Place] = {
    "platform-admin": (ANY, ANY, ANY, ANY),
    "tenant-admin": _WHOLE,
    "app-owner": ("acme", ANY, "trade", "order"),
    "developer": ("acme", "dev", ANY, ANY),
    "publisher": ("acme", "dev", "trade", "order"),
    "operator": _WHOLE,
    "auditor": _WHOLE,
    "viewer": _WHOLE,
}
assert set(_PATTERNS) == set(roles.BUILT_IN), "a new role needs a holder"
