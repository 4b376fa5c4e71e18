"""Services on the pages: a microservice, its nodes taken offline and put back, what it offers, who asks to call it, its rules."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from playwright.sync_api import Locator, Page, Route, expect

import qiantang.sync
from qiantang.catalog.model.kinds import body_of
from qiantang.kernel import errors
from qiantang.rpc.model.definition import definition_of, document_of, method, service
from tests.pages import journey as journey  # its deadline of `expect` holds here as well
from tests.pages.browser import NARROW, WIDE, Account, Estate, Person
from tests.pages.test_every_page import LOOKS
from tests.servers.platform import Api
from tests.servers.product import Application, eventually

ORDER, TILL, FIRST, NIGHT = (
    f"acme/{place}" for place in ("dev/trade/order", "dev/trade/till", "prod/trade/order", "dev/trade/night")
)
LIST = "/t/acme/dev/services"
HUB = "/t/acme/dev/apps/trade/order/services"
PAGES = {"list": LIST, "nodes": HUB, "offered": f"{HUB}/services", "callers": f"{HUB}/callers", "rules": f"{HUB}/rules"}


class Line(msgspec.Struct):
    """What is ordered."""

    article: str
    count: int = 1


@service("shop.Orders", version="1.2.0")
class Orders(Protocol):
    """Orders of the shop."""

    @method(timeout=10, idempotent=True)
    def price(self, line: Line, rebates: list[str]) -> float: ...


class Shop:
    def price(self, line: Line, rebates: list[str]) -> float:
        return 3.5 * line.count - len(rebates)


class Till:
    """An application that calls the service, as one at its shell would."""

    def __init__(self, app: qiantang.sync.App) -> None:
        self.orders = app.client(Orders, of="order")

    def answered(self) -> bool:
        try:
            return self.orders.price(Line("tea", 2), []) == 7.0
        except errors.QiantangError:
            return False


@pytest.fixture(scope="module")
def till(estate: Estate) -> Iterator[Till]:
    """An application with two services that answers from one node, and another one that calls it."""
    order, till = Application(estate.platform, ORDER), Application(estate.platform, TILL)
    answering = qiantang.sync.App(**order.options(instance="order-1", rpc={"notice": 0.2, "zone": "z1"}))
    answering.provide(Orders, Shop())
    calling = qiantang.sync.App(**till.options(instance="till-1", rpc={"notice": 0.2}))
    made = Till(calling)
    with answering, calling:
        eventually(made.answered, "a first call")
        yield made


@pytest.fixture(scope="module")
def published(estate: Estate, till: Till) -> Api:
    """The service in the catalog, for subscribers; a request of the till; a rule and a route of calls."""
    assert till
    api = estate.api
    body = body_of("shop.Orders", document_of(definition_of(Orders)), {"state": "online", "access": "subscribers"})
    puts(api, f"catalog/{ORDER}/services/shop.Orders", body)
    puts(api, f"rpc/{ORDER}/rules/no-night", {"access": {"refused": ["trade/night"]}})
    for capability in ("catalog", "rpc"):
        api.call("POST", f"{capability}/{ORDER}/releases", {"expected_revision": 0})
    return api


def puts(api: Api, path: str, body: Any) -> None:
    api.call("PUT", path, {"body": msgspec.to_builtins(body)}, **{"If-Match": "*"})


@pytest.fixture
def owner(estate: Estate, till: Till, somebody: Callable[[Account], Person]) -> Person:
    assert till
    return somebody(estate.person("olga", "app-owner"))


def node(page: Page) -> Locator:
    """Open the drawer of the node, by the keys."""
    page.locator("[data-row]").first.focus()
    page.keyboard.press("Enter")
    return page.get_by_role("dialog")


def state(api: Api) -> tuple[str, int]:
    """Give how callers see the node."""
    (view,) = api.call("GET", f"registry/{ORDER}/nodes")["items"]
    return view["state"], view["weight"]


def becomes(api: Api, state_: str, weight: int) -> None:
    """Wait until callers see the node so: the page shows it before the server has answered."""
    eventually(lambda: state(api) == (state_, weight), f"{state_}, {weight}")


def test_the_list_shows_what_is_there_and_leads_to_it(owner: Person) -> None:
    page = owner.open("/t/acme/-/home")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Services").click()
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    assert "/dev/services" in page.url  # nothing was chosen: the first environment
    row = page.get_by_role("row").filter(has_text="order")
    expect(row).to_contain_text("1 ready")
    expect(row).to_contain_text("trade")
    page.get_by_label("Filter by name").fill("nothing-such")
    expect(page.get_by_text("No microservice matches “nothing-such”")).to_be_visible()
    page.keyboard.press("Escape")
    row.get_by_role("link", name="order").click()
    page.wait_for_url(re.compile(f"{HUB}$"))
    expect(page.get_by_role("row").filter(has_text="ready")).to_contain_text("100")


def test_a_node_is_taken_offline_and_put_back_and_callers_heed_it(estate: Estate, owner: Person, till: Till) -> None:
    page = owner.open(HUB)
    shown = node(page)
    expect(shown).to_contain_text("z1")
    expect(shown).to_contain_text("shop.Orders")
    shown.get_by_role("button", name="Take offline").click()
    expect(shown.get_by_role("alert")).to_have_text("Say why first.")
    assert state(estate.api) == ("ready", 100)
    shown.get_by_label("Reason").fill("a bad disk")
    shown.get_by_role("button", name="Take offline").click()
    expect(shown.get_by_role("note")).to_contain_text("a bad disk")
    expect(page.locator("[data-row]")).to_contain_text("offline")
    becomes(estate.api, "offline", 100)
    expect(shown.get_by_role("alert")).to_have_count(0)
    eventually(lambda: not till.answered(), "nobody is called any more")
    page.keyboard.press("Escape")
    expect(shown).to_be_hidden()
    node(page).get_by_role("button", name="Put back").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Take offline")).to_be_visible()
    expect(page.locator("[data-row]")).to_contain_text("ready")
    eventually(till.answered, "the node is called again")


def test_a_weight_is_set_and_taken_back(estate: Estate, owner: Person) -> None:
    page = owner.open(HUB)
    shown = node(page)
    shown.get_by_label("Weight").fill("0")
    shown.get_by_role("button", name="Set weight").click()
    expect(shown.get_by_role("note")).to_contain_text("Weight set to 0")
    becomes(estate.api, "ready", 0)
    expect(page.locator("[data-row]")).to_contain_text("itself 100")
    shown.get_by_role("button", name="Its own weight again").click()
    expect(shown.get_by_role("note")).to_have_count(0)
    becomes(estate.api, "ready", 100)


def test_a_change_shows_at_once_and_is_gone_where_it_is_refused(estate: Estate, owner: Person) -> None:
    page = owner.open(HUB)
    held: list[Route] = []
    page.route("**/nodes/*", lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_())
    shown = node(page)
    shown.get_by_label("Reason").fill("just looking")
    shown.get_by_role("button", name="Take offline").click()
    expect(page.locator("[data-row]")).to_contain_text("offline")  # before the server has said a word
    problem = '{"status": 409, "code": "registry.full", "detail": "too many are changed", "title": "Conflict"}'
    held[0].fulfill(status=409, content_type="application/problem+json", body=problem)
    expect(shown.get_by_role("alert")).to_contain_text("too many are changed")
    expect(page.locator("[data-row]")).not_to_contain_text("offline")
    assert state(estate.api) == ("ready", 100)


def test_what_it_offers_is_read_as_methods_and_types(owner: Person, published: Api) -> None:
    assert published
    page = owner.open(f"{HUB}/services")
    row = page.get_by_role("row").filter(has_text="shop.Orders")
    expect(row).to_contain_text("1.2.0")
    expect(row).to_contain_text("online")
    row.click()
    shown = page.get_by_role("dialog")
    expect(shown).to_contain_text("price")
    expect(shown).to_contain_text("list[string]")
    expect(shown).to_contain_text("within 10.0 s · may be made again")
    expect(shown.locator(".n-method").last).to_contain_text("article")


def test_a_request_to_call_is_accepted(owner: Person, published: Api) -> None:
    ask = {"center": "trade", "application": "order", "service": "shop.Orders", "reason": "the till shows prices"}
    page = owner.open(f"{HUB}/callers")
    expect(page.get_by_text("Nobody asks")).to_be_visible()
    published.call("POST", f"catalog/{TILL}/access-requests", ask)
    row = page.get_by_role("row").filter(has_text="the till shows prices")  # it comes by itself
    expect(row).to_be_visible()
    row.get_by_role("button", name="Accept").click()
    asked = page.get_by_role("dialog")
    asked.get_by_role("button", name="Let it call").click()
    expect(asked.get_by_role("alert")).to_have_text("Say why first.")
    asked.get_by_label("Reason").fill("it should")
    asked.get_by_role("button", name="Let it call").click()
    expect(page.get_by_text("trade/till is a subscriber of shop.Orders now.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="shop.Orders").last).to_contain_text("trade/till")
    (offer,) = published.call("GET", f"catalog/{ORDER}/offers")["items"]
    assert offer["subscribers"] == ["trade/till"]


def test_a_request_to_call_is_refused(owner: Person, published: Api) -> None:
    ask = {"center": "trade", "application": "order", "service": "shop.Orders", "reason": "at night too"}
    published.make_application(NIGHT)
    published.call("POST", f"catalog/{NIGHT}/access-requests", ask)
    page = owner.open(f"{HUB}/callers")
    page.get_by_role("row").filter(has_text="at night too").get_by_role("button", name="Refuse").click()
    asked = page.get_by_role("dialog")
    asked.get_by_label("Reason").fill("by day only")
    asked.get_by_role("button", name="Refuse it").click()
    expect(page.get_by_text("trade/night was refused shop.Orders.")).to_be_visible()
    (answered,) = published.call("GET", f"catalog/{NIGHT}/access-requests/asked?decided=true")["items"]
    assert (answered["state"], answered["answer"]) == ("refused", "by day only")
    page.get_by_label("Also those that were answered").click()
    expect(page.get_by_role("row").filter(has_text="at night too")).to_contain_text("refused")


def test_rules_say_how_far_they_are_in_force(owner: Person, published: Api) -> None:
    assert published
    page = owner.open(f"{HUB}/rules")
    expect(page.get_by_text("in force everywhere")).to_be_visible()
    page.get_by_role("link", name="no-night").click()
    page.wait_for_url(re.compile("/rpc/edit/rule/no-night"))


def test_who_may_only_read_is_told_what_it_needs(
    estate: Estate, published: Api, somebody: Callable[..., Person]
) -> None:
    reader = somebody(estate.person("rita", "auditor"))
    assert published
    shown = node(reader.open(HUB))
    expect(shown).to_contain_text("registry.node:update")
    expect(shown.get_by_role("button", name="Take offline")).to_have_count(0)
    assert (
        estate.as_person(estate.accounts["rita"])
        .answer("PATCH", f"registry/{ORDER}/nodes/order-1", {"weight": 1})
        .status_code
        == 403
    )


def test_the_program_of_the_empty_page_provides_a_service(estate: Estate, owner: Person, tmp_path: Path) -> None:
    page = owner.open("/t/acme/prod/services")
    program = page.get_by_label("Copy the program").last.inner_text()
    assert len(program.splitlines()) <= 15
    first = Application(estate.platform, FIRST)
    told = {**first.names, "servers": estate.platform.address, "credential": first.credential, "secret": first.secret}
    variables = {f"QIANTANG_CLIENT_{name.upper()}": value for name, value in {**told, "folder": str(tmp_path)}.items()}
    running = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **variables})
    try:
        expect(page.get_by_role("row").filter(has_text="order")).to_contain_text("1 ready")  # without a reload
    finally:
        running.kill()
        running.wait(10)


@pytest.mark.parametrize("name", ["nemo", "gus"])
def test_a_stranger_sees_nothing(estate: Estate, published: Api, somebody: Callable[..., Person], name: str) -> None:
    if name == "gus":
        stranger_of_another_tenant(estate)
    else:
        estate.person("nemo")
    assert published
    person = somebody(estate.accounts[name])
    for path in PAGES.values():
        person.page.goto(person.address + path)
        person.page.wait_for_selector("main h1, main .k-state, main form")
        expect(person.page.locator("main .k-skeleton, main .k-reading")).to_have_count(0)
        text = person.page.inner_text("body")
        assert not [word for word in ("order-1", "shop.Orders", "no-night", "1 ready") if word in text], path


def stranger_of_another_tenant(estate: Estate) -> None:
    """Have gus, who administers another tenant."""
    estate.api.make_application("globex/dev/bank/ledger")
    password = estate.person("nemo").password
    made = estate.api.call("POST", "identity/tenants/globex/users", {"name": "gus", "password": password})
    estate.api.call("POST", "identity/grants", {"user": made["id"], "role": "tenant-admin", "pattern": "globex"})
    estate.accounts["gus"] = Account("gus", password, "globex", made["id"])


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_every_page_in_all_looks(owner: Person, published: Api, path: str) -> None:
    assert published
    assert_looks(owner, path)


@pytest.mark.parametrize(
    "path", [f"{HUB}?node=order-1", f"{HUB}/services?service=shop.Orders"], ids=["node", "definition"]
)
def test_every_drawer_in_all_looks(owner: Person, published: Api, path: str) -> None:
    assert published
    assert_looks(owner, path)


def assert_looks(person: Person, path: str) -> None:
    """Pass where what is open is legible and whole in both themes and languages, wide and narrow."""
    faults: list[str] = []
    for size in (WIDE, NARROW):
        person.size(size)
        for theme, language in LOOKS:
            person.wears(theme=theme, language=language)
            person.open(path)
            faults += [f"{theme} {language} {size['width']}: {one}" for one in (*person.axe(), *person.faults())]
    assert not faults, "\n".join(faults)
