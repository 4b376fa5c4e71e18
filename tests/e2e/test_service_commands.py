"""`qiantang service` against the real thing: from code to a catalog, from there to those who call, and away again."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from qiantang.catalog.model import kinds
from qiantang.cli import publishing
from qiantang.cli.program import program
from qiantang.kernel import ids, protocol, resource, wire
from tests.servers.platform import PASSWORD, Api, Platform

pytestmark = pytest.mark.process

PLACE, CONSUMER, OTHER = "acme/dev/trade/shop", "acme/dev/trade/till", "acme/dev/bank/ledger"
SHOP = textwrap.dedent(
    '''
    from typing import Protocol

    import msgspec

    from qiantang.rpc.model.definition import service


    class Line(msgspec.Struct):
        article: str{more}
        count: int = 1


    @service("shop.Orders", version="{version}")
    class Orders(Protocol):
        """Orders of the shop."""

        async def price(self, line: Line) -> float: ...


    @service("shop.Stock", version="1.0.0")
    class Stock(Protocol):
        async def left(self, article: str) -> int: ...
    '''
)


class Line:
    """Runs `qiantang` as one person, in a folder with the shop's code."""

    def __init__(self, platform: Platform, api: Api, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.variables = {
            "QIANTANG_CLI_CONTEXTS_FILE": str(folder / "contexts.toml"),
            "QIANTANG_CLI_SERVER": platform.address,
            "QIANTANG_CLI_TOKEN": api.token,
        }

    def __call__(self, *words: str, at: str = PLACE, code: int = 0) -> Result:
        tenant, environment, center, application = at.split("/")
        place = {"TENANT": tenant, "ENVIRONMENT": environment, "CENTER": center, "APPLICATION": application}
        variables = {**self.variables, **{f"QIANTANG_CLI_{name}": value for name, value in place.items()}}
        result = CliRunner().invoke(program, ["service", *words], env=variables, prog_name="qiantang")
        assert result.exit_code == code, (words, result.exit_code, result.output, result.exception)
        return result

    def json(self, *words: str, at: str = PLACE, code: int = 0) -> Any:
        return json.loads(self(*words, "-o", "json", at=at, code=code).stdout)

    def export(self, version: str, *, more: str = "") -> str:
        """Write the shop's code in a version and export it, in a module of its own."""
        module = f"shop_{version.replace('.', '_')}_{len(sys.modules)}"
        (self.folder / f"{module}.py").write_text(SHOP.format(version=version, more=more))
        target = str(self.folder / f"{module}.json")
        self("export", f"{module}:Orders", f"{module}:Stock", "--file", target)
        return target

    def services(self, at: str = PLACE) -> dict[str, dict[str, Any]]:
        return {one["service"]: one for one in self.json("list", at=at)}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as found:
        for place in (PLACE, CONSUMER, OTHER):
            found.administrator().make_application(place)
        yield found


@pytest.fixture
def line(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The administrator, with nothing in the catalog yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    root = platform.administrator()
    yield Line(platform, root, tmp_path)
    root.call("PATCH", "identity/tenants/acme/environments/dev", {"protected": False})
    for place in (PLACE, CONSUMER, OTHER):
        _empty(root, place)
    for name in set(sys.modules) - before:
        if name.startswith("shop_"):
            del sys.modules[name]


def _empty(root: Api, place: str) -> None:
    for one in root.call("GET", f"catalog/{place}/requests"):
        root.call("POST", f"catalog/{place}/requests/{one['id']}/cancel", {})
    for plural in ("services", "subscriptions"):
        for one in root.call("GET", f"catalog/{place}/{plural}")["items"]:
            path = f"catalog/{place}/{plural}/{one['name']}"
            root.call("DELETE", f"{path}/draft", **{"If-Match": "*"})
            found = root.answer("GET", path)
            if found.status_code == 200 and plural == "services":
                body = {**found.json()["published"], "state": "offline", "subscribers": []}
                root.call("PUT", path, {"body": body}, **{"If-Match": "*"})
    _publish(root, place)
    for plural in ("services", "subscriptions"):
        for one in root.call("GET", f"catalog/{place}/{plural}")["items"]:
            root.call("DELETE", f"catalog/{place}/{plural}/{one['name']}", **{"If-Match": "*"})
    _publish(root, place)


def _publish(root: Api, place: str) -> None:
    revision = root.call("GET", f"catalog/{place}/status")["position"][1]
    if root.call("GET", f"catalog/{place}/drafts")["pending"]:
        root.call("POST", f"catalog/{place}/releases", {"expected_revision": revision})


def delivered(platform: Platform, root: Api, place: str, of: str) -> resource.Snapshot:
    """Give what an instance of an application gets of a bundle."""
    tenant, environment, center, application = place.split("/")
    path = (
        f"identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials"
    )
    issued = root.call("POST", path, {"title": "tests"})
    now, nonce = time.time_ns() // 1_000_000, ids.secret_token()[:32]
    signature = protocol.sign(protocol.signing_key(issued["secret"]), issued["id"], now, nonce)
    request = protocol.TokenRequest(credential=issued["id"], timestamp=now, nonce=nonce, signature=signature)
    token = root.client.post(protocol.TOKEN_PATH, json=msgspec.to_builtins(request)).raise_for_status().json()["token"]
    names = dict(zip(("tenant", "environment", "center", "application"), of.split("/"), strict=True))
    body = {"instance": {"name": "i1"}, "bundle": {"scope": names, "capability": "catalog"}}
    answer = platform.as_bearer(token).answer("POST", "watch/fetch", body).raise_for_status()
    root.call("DELETE", f"{path}/{issued['id']}")
    return wire.decode(answer.content, resource.Snapshot)


def test_from_code_to_the_catalog_and_on_to_the_next_version(line: Line) -> None:
    first = line.export("1.0.0")
    assert "--publish needs a reason" in line("import", first, "--publish", code=2).stderr
    imported = line.json("import", first, "--access", "open")
    assert [(one["service"], one["action"], one["means"]) for one in imported] == [
        ("shop.Orders", "add", "new"),
        ("shop.Stock", "add", "new"),
    ]
    assert line.services() == {}, "a draft is nobody's service"
    shown = line("import", first, "--publish", "-m", "the first")
    assert "keep" in shown.stdout
    assert "published revision" in shown.stderr
    assert {name: (one["state"], one["version"]) for name, one in line.services().items()} == {
        "shop.Orders": ("registered", "1.0.0"),
        "shop.Stock": ("registered", "1.0.0"),
    }
    line("online", "shop.Orders", "shop.Stock", "-m", "open for business")
    assert "is online already" in line("online", "shop.Orders").stderr
    assert {one["state"] for one in line.services().values()} == {"online"}

    second = line.export("1.1.0", more="\n    note: str = ''")
    assert [(one["level"], one["path"]) for one in line.json("diff", "shop.Orders", "-f", second)] == [
        ("compatible", "price.arguments.line.note")
    ]
    line("diff", "shop.Orders", "-f", second, "--strict")
    told = line("import", second, "--publish", "-m", "notes")
    assert "compatible price.arguments.line.note: an optional field is new" in told.stderr
    assert (line.services()["shop.Orders"]["version"], line.services()["shop.Orders"]["state"]) == ("1.1.0", "online")


def test_a_breaking_change_is_shown_and_needs_another_major_version(line: Line) -> None:
    line("import", line.export("1.0.0"), "--publish", "-m", "the first")
    breaking = line.export("1.2.0", more="\n    needed: str")
    found = line.json("diff", "shop.Orders", "-f", breaking, "--strict", code=5)
    assert [(one["level"], one["path"]) for one in found] == [("breaking", "price.arguments.line.needed")]
    refused = line("import", breaking, "--publish", "-m", "try", code=1)
    assert "needs another major version than 1.2.0" in refused.stderr.replace("\n", " ")
    only_drafted = line("import", breaking)
    assert "warning" in only_drafted.stderr
    assert line.services()["shop.Orders"]["version"] == "1.0.0"
    assert [one["level"] for one in line.json("diff", "shop.Orders")] == ["breaking"]
    major = line.export("2.0.0", more="\n    needed: str")
    line("diff", "shop.Orders", "-f", major, "--strict")
    told = line("import", major, "--publish", "-m", "we said so")
    assert "breaking price.arguments.line.needed" in told.stderr
    assert line.services()["shop.Orders"]["version"] == "2.0.0"


def test_one_is_shown_found_and_named_in_every_form(line: Line) -> None:
    line("import", line.export("1.0.0"), "--application", "trade/shop", "--publish", "-m", "x", at=OTHER)
    text = line("show", "shop.Orders").stdout
    assert text.startswith("shop.Orders 1.0.0 (default), registered, open, digest ")
    assert "Orders of the shop." in text
    assert "line: Line" in text
    assert line.json("show", "shop.Orders")["document"]["name"] == "shop.Orders"
    assert "there is no draft" in line("show", "shop.None", "--draft", code=3).stderr
    line("online", "shop.Stock")
    assert line("list", "-o", "name").stdout.split() == ["shop.Orders", "shop.Stock"]
    assert line("list", "--state", "online", "-o", "name").stdout.split() == ["shop.Stock"]
    assert line("search", "left", "-o", "name").stdout.split() == ["dev/trade/shop/shop.Stock"]
    assert line("search", "orders", "-e", "prod", "-o", "name").stdout == ""
    assert len(line.json("search")) == 2
    conflict = line("list", "--application", "bank/shop", "--center", "trade", code=2)
    assert "do not go together" in conflict.stderr.replace("\n", " ")


def test_what_somebody_counts_on_is_not_removed_by_a_slip(line: Line) -> None:
    line("import", line.export("1.0.0"), "--access", "subscribers", "--publish", "-m", "x")
    line("online", "shop.Orders")
    line("deregister", "shop.Stock", "-m", "not used")
    refused = line("deregister", "shop.Orders", code=1)
    assert "it is online: take it offline" in refused.stderr.replace("\n", " ")
    assert line.api.call("GET", f"catalog/{PLACE}/drafts")["pending"] == [], "the draft of the removal went with it"
    _accept(line)
    line("offline", "shop.Orders", "-m", "a moment")
    assert "it has subscribers (trade/till)" in line("deregister", "shop.Orders", code=1).stderr.replace("\n", " ")
    line("deregister", "shop.Orders", "--force", "-m", "for good")
    assert line.services() == {}
    messages = [one["message"] for one in line.api.call("GET", f"catalog/{PLACE}/releases")["items"]]
    assert messages[:2] == ["for good", "for good"], "what was forced is in the history step by step"
    assert "no published service" in line("deregister", "shop.Orders", code=3).stderr


def _accept(line: Line) -> str:
    line("request", "ask", "trade/shop", "shop.Orders", "-m", "to sell", at=CONSUMER)
    (waiting,) = line.json("request", "list", "--received")
    done = line.json("request", "accept", waiting["id"], "-m", "of course")
    assert (done["state"], done["answer"]) == ("accepted", "of course")
    return str(waiting["id"])


def test_a_draft_that_waits_is_not_published_along(line: Line) -> None:
    line("import", line.export("1.0.0"), "--publish", "-m", "x")
    line("import", line.export("1.1.0", more="\n    note: str = ''"))
    assert "a draft of shop.Orders by ada waits" in line("online", "shop.Orders", code=5).stderr.replace("\n", " ")


def test_who_says_no_leaves_no_draft(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line("import", line.export("1.0.0"), "--publish", "-m", "x")

    def no(*_: Any, **__: Any) -> None:
        raise click.Abort

    monkeypatch.setattr(publishing, "ask", no)
    line("online", "shop.Orders", "shop.Stock", code=1)
    line("deregister", "shop.Orders", code=1)
    assert line.api.call("GET", f"catalog/{PLACE}/drafts")["pending"] == []
    assert {one["state"] for one in line.services().values()} == {"registered"}


def test_a_consumer_asks_is_let_and_is_delivered_what_is_online(line: Line, platform: Platform) -> None:
    line("import", line.export("1.0.0"), "--access", "subscribers", "--publish", "-m", "x")
    line("online", "shop.Orders", "shop.Stock")
    told = line("subscribe", "trade/shop", "shop.Orders", "--ask", "--publish", "-m", "the till prices", at=CONSUMER)
    assert "asked trade/shop for shop.Orders: request " in told.stderr
    again = line("subscribe", "trade/shop", "shop.Stock", "shop.Orders", "--ask", "-m", "more", at=CONSUMER)
    assert "has asked for shop.Orders already" in again.stderr.replace("\n", " ")
    assert "shop.Stock" in again.stdout
    asked = line.json("request", "list", at=CONSUMER)
    assert [(one["service"], one["state"], one["reason"]) for one in asked] == [
        ("shop.Stock", "waiting", "more"),
        ("shop.Orders", "waiting", "the till prices"),
    ]
    stock, orders = (one["id"] for one in asked)
    line("request", "accept", orders, "-m", "welcome")
    line("request", "refuse", stock, "-m", "ask the stores")
    outcome = {one["id"]: (one["state"], one["answer"]) for one in line.json("request", "list", "--all", at=CONSUMER)}
    assert outcome[orders] == ("accepted", "welcome")
    assert outcome[stock] == ("refused", "ask the stores")
    services = line.services()
    assert (services["shop.Orders"]["subscribers"], services["shop.Orders"]["consumers"]) == (
        ["trade/till"],
        ["trade/till"],
    )
    assert (services["shop.Stock"]["subscribers"], services["shop.Stock"]["consumers"]) == ([], [])
    line("offline", "shop.Stock")

    own = delivered(platform, line.api, CONSUMER, CONSUMER)
    assert [str(one) for one in own.links] == [f"{PLACE}:catalog"]
    linked = delivered(platform, line.api, CONSUMER, PLACE)
    found = kinds.assemble(own, [linked])
    assert list(found.given) == ["shop.Orders"]
    (offer,) = found.given["shop.Orders"]
    assert (offer.provider, offer.body.version, offer.body.document.methods[0].name) == ("trade/shop", "1.0.0", "price")
    provider = kinds.assemble(delivered(platform, line.api, PLACE, PLACE))
    assert {name: body.state for name, body in provider.provided.items()} == {
        "shop.Orders": "online",
        "shop.Stock": "offline",
    }
    assert provider.subscribers["shop.Orders"] == {"trade/till"}


def test_a_request_is_withdrawn_and_what_is_not_there_is_told(line: Line) -> None:
    line("import", line.export("1.0.0"), "--access", "subscribers", "--publish", "-m", "x")
    line("request", "ask", "trade/shop", "shop.Orders", "-m", "to sell", at=CONSUMER, code=3)
    line("online", "shop.Orders")
    made = line.json("request", "ask", "trade/shop", "shop.Orders", "-m", "to sell", at=CONSUMER)
    line("request", "withdraw", made["id"], "-m", "no more", at=OTHER, code=3)
    assert line.json("request", "withdraw", made["id"], "-m", "no more", at=CONSUMER)["state"] == "withdrawn"
    line("request", "accept", made["id"], "-m", "too late", code=5)
    line("subscribe", "shop", "shop.Orders", at=CONSUMER, code=2)
    line("subscribe", "trade/shop", "no name", at=CONSUMER, code=1)
    line("subscribe", "trade/shop", "shop.Orders", "--name", "x", at=CONSUMER)
    taken = line("subscribe", "bank/ledger", "bank.Ledger", "--name", "x", at=CONSUMER, code=5)
    assert "the subscription 'x' is to trade/shop" in taken.stderr.replace("\n", " ")


def test_where_a_second_person_is_needed_it_waits_and_the_consumer_sees_it(line: Line) -> None:
    line("import", line.export("1.0.0"), "--access", "subscribers", "--publish", "-m", "x")
    line("online", "shop.Orders")
    line.api.call("PATCH", "identity/tenants/acme/environments/dev", {"protected": True})
    assert "waits for another person: request " in line("online", "shop.Stock").stderr.replace("\n", " ")
    made = line.json("request", "ask", "trade/shop", "shop.Orders", "-m", "to sell", at=CONSUMER)
    accepted = line.json("request", "accept", made["id"], "-m", "yes")
    assert (accepted["state"], accepted["publishing_state"]) == ("accepted", "waiting")
    assert "accepted, publish waiting" in line("request", "list", "--all", at=CONSUMER).stdout
    assert line.services()["shop.Orders"]["subscribers"] == []
    waits = line("deregister", "shop.Orders", "--force", code=5)
    assert "waits, which would be published as well" in waits.stderr.replace("\n", " ")


def test_those_who_may_not_are_told_what_they_lack(line: Line, platform: Platform) -> None:
    file = line.export("1.0.0")
    user = line.api.call(
        "POST", "identity/tenants/acme/users", {"name": f"dev-{ids.ordered_id()[:8]}", "password": PASSWORD}
    )
    line.api.call("POST", "identity/grants", {"user": user["id"], "role": "developer", "pattern": "acme/dev/trade"})
    with line.api.client.__class__(base_url=platform.address, timeout=30) as client:
        body = {"name": user["name"], "password": PASSWORD, "tenant": "acme"}
        client.post("/api/v1/identity/login", json=body).raise_for_status()
        made = client.post(
            "/api/v1/identity/tokens",
            json={"name": "tests", "lifetime_days": 1},
            headers={"X-Qiantang": "1", "Origin": platform.address},
        )
    developer = Line(platform, platform.as_bearer(made.raise_for_status().json()["token"]), line.folder)
    line("import", file, "--access", "subscribers", "--publish", "-m", "x")
    line("online", "shop.Orders")
    asked = developer.json("request", "ask", "trade/shop", "shop.Orders", "-m", "to sell", at=CONSUMER)
    assert "catalog.service:publish" in developer("request", "accept", asked["id"], "-m", "me", code=4).stderr
    assert "catalog.service:publish" in developer("offline", "shop.Orders", code=4).stderr
    assert line.api.call("GET", f"catalog/{PLACE}/drafts")["pending"] == []
    assert (
        "catalog.access:create"
        in developer("request", "ask", "trade/shop", "shop.Orders", "-m", "x", at=OTHER, code=4).stderr
    )
    assert developer("search", "-o", "name").stdout.split() == [
        "dev/trade/shop/shop.Orders",
        "dev/trade/shop/shop.Stock",
    ]
