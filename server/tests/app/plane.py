"""The control plane in a test's own process, and people who sign in to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar.testing import AsyncTestClient

from qiantang.identity import model
from qiantang.kernel import settings
from qiantang_server.app import process
from qiantang_server.app.sections import sections
from qiantang_server.identity.service import Caller, Identity

ADDRESS = "http://127.0.0.1:1"
PASSWORD = "correct horse battery staple"


class Plane:
    """An open control plane; a test asks it as a browser that is signed in, or as nobody."""

    def __init__(self, running: process.Running, client: AsyncTestClient[Any]) -> None:
        self.running = running
        self.client = client

    @property
    def identity(self) -> Identity:
        return process.identity_of(self.running)

    async def tenant(self, name: str) -> None:
        await self.identity.estate.create_tenant(process.system_of(self.running), model.NewTenant(name=name))

    async def person(self, name: str, role: str = "", pattern: str = "", tenant: str = "") -> dict[str, str]:
        """Make an account and sign it in; give the headers of its browser."""
        root = process.system_of(self.running)
        new = model.NewUser(name=name, password=PASSWORD)
        user = await self.identity.people.create_user(root, tenant, new)
        if role:
            await self.identity.granting.grant(root, model.NewGrant(user=user.id, role=role, pattern=pattern))
        command = model.SignIn(name=name, password=PASSWORD, tenant=tenant)
        signed_in = await self.identity.signing_in.sign_in(command, Caller(address="127.0.0.1"))
        return {"Cookie": f"qiantang={signed_in.session}", "X-Qiantang": "1", "Sec-Fetch-Site": "same-origin"}


@asynccontextmanager
async def opened(folder: Path, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Plane]:
    flags = {"server.folder": settings.Flag(str(folder), "--folder")}
    loaded = settings.load(sections(), environment=environment or {}, flags=flags)
    async with process.ControlPlane(loaded.sections, loaded).open(ADDRESS) as running:
        async with AsyncTestClient(running.application, base_url="http://127.0.0.1") as client:
            yield Plane(running, client)
