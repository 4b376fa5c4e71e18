"""Whether something exists in another tenant is not told by how much work an answer takes: the same statements are run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from qiantang.identity import model
from qiantang_server.app import process
from qiantang_server.app.sections import sections
from qiantang_server.app.settings import ServerSettings
from qiantang_server.identity.service import Caller, Identity
from tests.api.holders import FOREIGN, MISSING
from tests.api.routes import routes
from tests.api.test_roles import BY_BODY, IMPOSSIBLE, REST

PASSWORD = "correct horse battery staple"


class Plane:
    """The control plane in the test's own process, and somebody of the tenant acme who asks."""

    def __init__(self, running: process.Running, client: httpx.AsyncClient) -> None:
        self.running = running
        self.client = client
        self.token = ""

    @property
    def identity(self) -> Identity:
        return process.identity_of(self.running)

    async def build(self) -> None:
        root = process.system_of(self.running)
        for tenant in ("acme", FOREIGN["tenant"]):
            await self.identity.estate.create_tenant(root, model.NewTenant(name=tenant))
        names = FOREIGN
        estate = self.identity.estate
        await estate.create_environment(root, names["tenant"], model.NewEnvironment(name=names["environment"]))
        await estate.create_center(root, names["tenant"], model.NewCenter(name=names["center"]))
        application = model.NewApplication(name=names["application"])
        await estate.create_application(root, names["tenant"], names["center"], application)
        user = await self.identity.people.create_user(root, "acme", model.NewUser(name="eve", password=PASSWORD))
        await self.identity.granting.grant(root, model.NewGrant(user=user.id, role="tenant-admin", pattern="acme"))
        await self.identity.people.create_user(root, FOREIGN["tenant"], model.NewUser(name="gil", password=PASSWORD))
        command = model.SignIn(name="eve", password=PASSWORD, tenant="acme")
        self.token = (await self.identity.signing_in.sign_in(command, Caller(address="127.0.0.1"))).session

    async def ask(self, method: str, path: str, body: Any) -> Any:
        headers = {"Cookie": f"qiantang={self.token}", "X-Qiantang": "1", "Sec-Fetch-Site": "same-origin"}
        return await self.client.request(method, path, json=body, headers=headers)

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Gather the statements that are run meanwhile."""
        said: list[str] = []

        def heard(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            said.append(statement)

        database = self.running.kernel.database
        engines = [database._writer.sync_engine, database._reader.sync_engine]
        for engine in engines:
            sa.event.listen(engine, "before_cursor_execute", heard)
        try:
            yield said
        finally:
            for engine in engines:
                sa.event.remove(engine, "before_cursor_execute", heard)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    made: dict[str, msgspec.Struct] = {name: shape() for name, shape in sections().items()}
    made["server"] = msgspec.structs.replace(made["server"], folder=tmp_path)
    assert isinstance(made["server"], ServerSettings)
    async with process.ControlPlane(made).open("http://127.0.0.1:1") as running:
        # on this loop: a client with a loop of its own would share the writer's turns between two
        transport = httpx.ASGITransport(running.application, raise_app_exceptions=False, client=("a stranger", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            found = Plane(running, client)
            await found.build()
            yield found


def about_tenants(statement: str) -> bool:
    """Pass over what the loops in the background ask, which are not these requests'."""
    quiet = (
        "lease",
        "julianday",  # the clock of leases
        "outbox",
        "announcement",
        "publish_request",
        "server",
        "identity_revision",
        "data_key",
        "instance",
        "registry_pulse",
    )
    noted = statement.startswith("UPDATE identity_") and "used" in statement
    begun = statement.startswith(("BEGIN", "COMMIT"))  # the loops have transactions of their own
    return not noted and not begun and not any(table in statement for table in quiet)


async def test_a_stranger_costs_the_same_whether_it_is_there_or_not(plane: Plane) -> None:
    judged = 0
    for _ in range(4):  # the first refusals are written out, the others only counted
        await plane.ask("GET", "/api/v1/identity/tenants/globex", None)
    for route in routes():
        make = BY_BODY.get(str(route), ("", None))[1]
        if make is None and "{tenant}" not in route.path:
            continue
        told: list[list[str]] = []
        for names in (FOREIGN, MISSING, {**FOREIGN, "application": "none"}, FOREIGN):
            path = route.filled({**REST, **names})
            with plane.statements() as said:
                answer = await plane.ask(route.method, path, make(names) if make else IMPOSSIBLE)
            assert answer.status_code == 404, f"{route}: {answer.text}"
            told.append([statement for statement in said if about_tenants(statement)])
        assert told[0] == told[1] == told[2] == told[3], str(route)
        judged += 1
    assert judged > 60


@pytest.mark.parametrize("tenant", ["acme", FOREIGN["tenant"], MISSING["tenant"], ""])
async def test_signing_in_costs_the_same_whoever_is_there(plane: Plane, tenant: str) -> None:
    """A wrong password, a name that nobody has, a tenant that is not there: one answer, one list of statements."""
    for number in range(4):  # the address is known by then, and its refusals are only counted
        body = {"name": f"stranger-{number}", "password": "wrong horse battery", "tenant": "acme"}
        await plane.client.post("/api/v1/identity/login", json=body)
    told: list[tuple[int, Any, list[str]]] = []
    for name in ("eve" if tenant == "acme" else "gil", "nobody-at-all"):
        with plane.statements() as said:
            body = {"name": name, "password": "wrong horse battery", "tenant": tenant}
            answer = await plane.client.post("/api/v1/identity/login", json=body)
        text = answer.json() | {"request_id": ""}
        told.append((answer.status_code, text, [statement for statement in said if about_tenants(statement)]))
    assert told[0][0] == 401
    assert told[0] == told[1]
