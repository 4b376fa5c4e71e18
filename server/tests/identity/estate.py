"""What the identity tests share: a sealer without keys, a clock to move, and steps that many of them take."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field

from qiantang.identity import model
from qiantang.kernel import errors, protocol, scope
from qiantang_server.identity.capability import PERMISSIONS
from qiantang_server.identity.service import Caller, Identity
from qiantang_server.kernel import access

PASSWORD = "correct horse battery"
DECLARED = access.Permissions(
    {
        **PERMISSIONS,
        "config.namespace:read": "read",
        "config.namespace:update": "edit",
        "config.namespace:publish": "publish",
        "config.namespace:reveal": "see secrets",
        "watch.bundle:read": "receive",
    }
)
ROOT = access.system(DECLARED)
START = 1_800_000_000_000
ORDERS = scope.Scope(tenant="acme", environment="dev", center="sales", application="orders")


@dataclass
class Clock:
    """Time as a test sets it, in milliseconds."""

    moment: int = START

    def __call__(self) -> int:
        return self.moment

    def pass_(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        self.moment += int((seconds + 60 * minutes + 3600 * hours + 86_400 * days) * 1000)


class PlainSealer:
    """Ties what it seals to tenant and place, as the real one does; hides nothing."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()

    async def ready(self, tenant: str) -> None:
        self.loaded.add(tenant)

    def seal(self, tenant: str, plaintext: bytes, context: str) -> str:
        assert tenant in self.loaded
        return f"{tenant}|{context}|{base64.b64encode(plaintext).decode()}"

    def open(self, tenant: str, sealed: str, context: str) -> bytes:
        assert tenant in self.loaded
        known, where, text = sealed.split("|") if sealed.count("|") == 2 else ("", "", "")
        if (known, where) != (tenant, context):
            raise errors.InternalError("sealed elsewhere")
        return base64.b64decode(text)


@dataclass
class Estate:
    """An open identity with tenant acme: environments dev and prod, center sales, applications orders and stock."""

    identity: Identity
    clock: Clock
    users: dict[str, model.User] = field(default_factory=dict)

    async def build(self) -> None:
        for tenant in ("acme", "beta"):
            await self.identity.estate.create_tenant(ROOT, model.NewTenant(name=tenant))
            for name in ("dev", "prod"):
                await self.identity.estate.create_environment(ROOT, tenant, model.NewEnvironment(name=name))
            await self.identity.estate.create_center(ROOT, tenant, model.NewCenter(name="sales"))
            for name in ("orders", "stock"):
                new = model.NewApplication(name=name)
                await self.identity.estate.create_application(ROOT, tenant, "sales", new)

    async def user(self, name: str, *roles: tuple[str, str], tenant: str = "acme") -> model.User:
        new = model.NewUser(name=name, password=PASSWORD)
        made = await self.identity.people.create_user(ROOT, tenant, new)
        for role, pattern in roles:
            await self.identity.granting.grant(ROOT, model.NewGrant(user=made.id, role=role, pattern=pattern))
        self.users[name] = made
        return made

    async def sign_in(self, name: str, *, tenant: str = "acme", **caller: str) -> access.Principal:
        cookie = await self.cookie(name, tenant=tenant, **caller)
        return await self.identity.authenticate(access.Presented(cookie=cookie, address="192.0.2.1"))

    async def cookie(self, name: str, *, tenant: str = "acme", password: str = PASSWORD, **caller: str) -> str:
        command = model.SignIn(name=name, password=password, tenant=tenant)
        return (await self.identity.signing_in.sign_in(command, Caller(**{"address": "192.0.2.1", **caller}))).session

    async def credential(self, place: scope.Scope = ORDERS, **options: int) -> model.IssuedCredential:
        return await self.identity.credentials.create_credential(ROOT, place, model.NewCredential(**options))

    def request(
        self, issued: model.IssuedCredential, *, offset_ms: int = 0, nonce: str = "", secret: str = ""
    ) -> protocol.TokenRequest:
        nonce = nonce or secrets.token_hex(16)
        moment = self.clock() + offset_ms
        key = protocol.signing_key(secret or issued.secret)
        signature = protocol.sign(key, issued.id, moment, nonce)
        return protocol.TokenRequest(credential=issued.id, timestamp=moment, nonce=nonce, signature=signature)

    async def bearer(self, issued: model.IssuedCredential) -> str:
        return (await self.identity.credentials.exchange(self.request(issued), "192.0.2.9")).token

    async def who(self, bearer: str) -> access.Principal:
        return await self.identity.authenticate(access.Presented(bearer=bearer, address="192.0.2.9"))


def held_still(identity: Identity) -> list[float]:
    """Hold the clock by which a server decides to ask the database again; give it, to be moved (seconds)."""
    moment = [100.0]
    identity.ground.pulse._steady = lambda: moment[0]
    identity.ground.pulse.expire()
    return moment
