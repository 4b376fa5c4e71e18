"""Walls as a browser meets them: everything that pages ask, by somebody of another tenant and by somebody without a role."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Request, expect

from tests.pages.browser import DEADLINE, Account, Estate, Person
from tests.pages.seed import fill
from tests.pages.test_every_page import PAGES
from tests.servers.platform import Api

NOTHING = "0" * 32
PLACES = {
    "tenant": "acme",
    "environment": "dev",
    "center": "trade",
    "application": "order",
    "name": "application",
    "revision": "1",
    "number": "1",
    "node": "node-1",
    "service": "order.Orders",
    "role": "watcher",
    **dict.fromkeys(("request_id", "user", "grant", "credential", "token", "session"), NOTHING),
}
SHOWING = ("home", "applications", "search", "editor", "history", "requests", "users", "audit")
"""Pages that show most of what a tenant has; that every page says what it needs is held against each elsewhere."""
METHODS = {"get", "post", "put", "patch", "delete"}


@dataclass(frozen=True)
class Asked:
    """One request that a page made of the API."""

    method: str
    path: str
    body: Any = None


@pytest.fixture(scope="module")
def full(estate: Estate) -> Estate:
    fill(estate)
    estate.api.make_application("globex/dev/bank/ledger")
    return estate


@pytest.fixture(scope="module")
def asked(full: Estate, screen: Chromium) -> list[Asked]:
    """Everything of the tenant that all pages ask of the API, as the administrator's browser asks it."""
    found: dict[tuple[str, str], Asked] = {}

    def heard(request: Request) -> None:
        path = request.url.partition("/api/v1/")[2]
        if path and "/api/v1/stream" not in request.url and "acme" in path:
            body = request.post_data
            found.setdefault((request.method, path), Asked(request.method, path, json.loads(body) if body else None))

    person = Person.at(screen, full.platform.address)
    try:
        full.platform_admin_signs_in(person)
        person.page.on("request", heard)
        for path in PAGES.values():
            if path.startswith("/t/acme"):
                person.open(path)
    finally:
        person.close()
    return list(found.values())


@pytest.fixture(scope="module")
def strangers(full: Estate) -> dict[str, Api]:
    """Somebody of the tenant without a role, and the administrator of another tenant."""
    nemo = full.person("nemo")
    password = full.accounts["nemo"].password
    made = full.api.call("POST", "identity/tenants/globex/users", {"name": "gus", "password": password})
    full.api.call("POST", "identity/grants", {"user": made["id"], "role": "tenant-admin", "pattern": "globex"})
    gus = Account("gus", password, "globex", made["id"])
    full.accounts["gus"] = gus
    return {"without a role": full.as_person(nemo), "of another tenant": full.as_person(gus)}


WHO = ["without a role", "of another tenant"]


@pytest.mark.parametrize("who", WHO)
def test_nothing_that_pages_ask_is_answered_to_a_stranger(
    asked: list[Asked], strangers: dict[str, Api], who: str
) -> None:
    person = strangers[who]
    reached: list[str] = []
    for one in asked:
        answer = person.answer(one.method, one.path, one.body)
        told = f"{one.method} {one.path}: {answer.status_code} {answer.text[:200]}"
        if answer.is_success:
            # what is answered at all shows nothing: empty lists and counts of zero
            assert _empty(answer.json()), told
        else:
            assert answer.status_code in {403, 404}, told
        assert not any(word in answer.text.replace(one.path, "") for word in ("s3cret-dsn", "timeout_ms")), told
        reached.append(one.path.partition("?")[0])
    for area in (
        "config/acme/dev/trade/order",
        "registry/acme/dev",
        "catalog/acme/dev",
        "rpc/acme/dev",
        "work/acme",
        "bundles/acme",
        "identity/tenants/acme",
        "audit/tenants",
    ):
        assert any(path.startswith(area) for path in reached), f"no page asked {area}: {sorted(set(reached))}"


@pytest.mark.parametrize("who", WHO)
def test_no_route_of_the_document_answers_a_stranger(full: Estate, strangers: dict[str, Api], who: str) -> None:
    person = strangers[who]
    reached = 0
    document = full.api.call("GET", "openapi/openapi.json")
    before = full.api.revision("acme/dev/trade/order")
    for path, methods in document["paths"].items():
        if "{tenant}" not in path:
            continue
        for method in METHODS & set(methods):
            filled = path.removeprefix("/api/v1/").format(**PLACES)
            query = "?words=order" if "search" in path else ""
            answer = person.answer(method.upper(), filled + query, {} if method != "get" else None, **{"If-Match": "*"})
            told = f"{method} {path}: {answer.status_code} {answer.text[:200]}"
            if answer.is_success:
                assert method == "get", told
                assert _empty(answer.json()), told
            else:
                assert answer.status_code in {403, 404}, told
            reached += 1
    assert reached > 60
    assert full.api.revision("acme/dev/trade/order") == before


@pytest.mark.parametrize("who", WHO)
def test_counts_and_searches_are_empty(strangers: dict[str, Api], who: str) -> None:
    person = strangers[who]
    for path in (
        "work/acme?limit=20",
        "bundles/acme?limit=20",
        "search/acme?words=order",
        "search/acme?words=lin",
        "config/search/acme?words=timeout",
        "identity/tenants/acme/users?words=mei",
        "identity/tenants/acme/applications?words=order",
    ):
        answer = person.answer("GET", path)
        if answer.is_success:
            assert _empty(answer.json()), f"{path}: {answer.text[:300]}"
        else:
            assert answer.status_code in {403, 404}, f"{path}: {answer.status_code} {answer.text[:300]}"
    answer = person.answer("GET", "identity/tenants")
    assert answer.status_code == 403 or "acme" not in answer.text


@pytest.mark.parametrize("who", WHO)
def test_streams_tell_a_stranger_of_no_rows_but_his_own(full: Estate, strangers: dict[str, Api], who: str) -> None:
    own, account = "list:*/identity.access_token", {WHO[0]: "nemo", WHO[1]: "gus"}[who]
    kinds = ("user", "role", "grant", "environment", "center", "application", "credential", "tenant")
    topics = [f"list:{tenant}/identity.{kind}" for tenant in ("acme", "*") for kind in kinds]
    told: dict[str, set[str]] = {"changed": set(), "refused": set(), "hello": set()}
    with strangers[who].client.stream("GET", f"/api/v1/stream?topics={','.join((own, *topics))}") as stream:
        lines = stream.iter_lines()
        _hears(lines, told, "hello")
        for _ in range(2):  # what was done in his own tenant just before is told now, and counts for nothing
            full.as_person(full.accounts[account])
            _hears(lines, told, "changed", own)
        told["changed"].clear()
        for number in range(2):  # of the first all is told before the second
            made = full.api.call("POST", "identity/tenants/acme/centers", {"name": f"{who.replace(' ', '-')}-{number}"})
            full.api.call("PATCH", "identity/tenants/acme", {"title": f"{who} {number}"})
            full.api.call("DELETE", f"identity/tenants/acme/centers/{made['name']}")
            full.as_person(full.accounts[account])
            _hears(lines, told, "changed", own)
    assert told["changed"] == {own}
    assert told["refused"] == ({one for one in topics if "acme" in one} if who == "of another tenant" else set())


def _hears(lines: Iterator[str], told: dict[str, set[str]], wanted: str, topic: str = "") -> None:
    """Take in what a stream says until the first event of a sort, of a topic where one is named."""
    event = ""
    for line in lines:
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            told[event].add(found := json.loads(line.removeprefix("data: ")).get("topic", ""))
            if event == wanted and topic in ("", found):
                return


def _empty(found: Any) -> bool:
    """Say whether an answer shows nothing: no items, and no number but zero."""
    if isinstance(found, dict):
        return all(_empty(value) for name, value in found.items() if name not in {"next", "truncated"})  # type: ignore[misc]
    return not found


@pytest.fixture
def stranger(full: Estate, strangers: dict[str, Api], somebody: Callable[[Account], Person]) -> Callable[[str], Person]:
    """Give strangers at browsers of their own."""
    assert strangers
    return lambda name: somebody(full.accounts[name])


@pytest.mark.parametrize("name", ["nemo", "gus"])
def test_the_pages_show_a_stranger_nothing(full: Estate, stranger: Callable[[str], Person], name: str) -> None:
    person = stranger(name)
    page = person.page
    for what in SHOWING:
        page.goto(person.address + PAGES[what])
        page.wait_for_selector("main h1, main .k-state, main form", timeout=DEADLINE)
        page.wait_for_function("() => !document.querySelector('main .k-skeleton, main .k-reading')", timeout=DEADLINE)
        text = page.inner_text("body")
        for word in ("timeout_ms", "s3cret-dsn", "the first settings", "please look at this"):
            assert word not in text, f"{what}: {word}"
    assert full


@pytest.mark.parametrize("name", ["nemo", "gus"])
def test_the_palette_finds_a_stranger_nothing(stranger: Callable[[str], Person], name: str) -> None:
    person = stranger(name)
    page = person.page
    page.goto(f"{person.address}/t/acme/-/home")
    page.wait_for_selector("main h1, main .k-state", timeout=DEADLINE)
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search or paste any id…")
    with page.expect_response(re.compile("/api/v1/search/")) as found:
        palette.get_by_role("combobox").fill("order")
    assert found.value.status in {403, 404} or found.value.json() == []
    expect(palette.get_by_role("group", name="Objects")).to_have_count(0)
