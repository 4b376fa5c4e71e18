"""Every page, in both themes and languages, wide and narrow, full, empty, failing and forbidden: nothing to be ashamed of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Route

from tests.pages.browser import NARROW, WIDE, Estate, Person
from tests.pages.seed import HOSTILE, fill
from tests.servers.product import Platforms, eventually

HUB = "/t/acme/dev/apps/trade/order"
PAGES = {
    "home": "/t/acme/-/home",
    "applications": "/t/acme/dev/apps",
    "overview": f"{HUB}/overview",
    "configurations": "/t/acme/-/config",
    "search": "/t/acme/-/config/search?words=order",
    "editor": f"{HUB}/config/edit/application",
    "source": f"{HUB}/config/edit/limits",
    "diff": f"{HUB}/config/diff",
    "publish": f"{HUB}/config/publish",
    "history": f"{HUB}/config/history",
    "requests": "/t/acme/prod/apps/trade/order/config/requests",
    "transfer": f"{HUB}/config/transfer",
    "instances": f"{HUB}/instances",
    "dead letters": f"{HUB}/dead",
    "history of dead letters": f"{HUB}/dead/history",
    "services": "/t/acme/dev/services",
    "nodes of a service": f"{HUB}/services",
    "services offered": f"{HUB}/services/services",
    "callers": f"{HUB}/services/callers",
    "rules of calls": f"{HUB}/services/rules",
    "credentials": f"{HUB}/credentials",
    "users": "/t/acme/-/users",
    "roles": "/t/acme/-/roles",
    "grants": "/t/acme/-/grants",
    "environments": "/t/acme/-/environments",
    "centers": "/t/acme/-/centers",
    "audit": "/t/acme/-/audit",
    "access": "/t/acme/-/me/access",
    "sessions": "/t/acme/-/me/sessions",
    "tokens": "/t/acme/-/me/tokens",
    "password": "/t/acme/-/me/password",
    "tenants": "/platform/tenants",
    "platform users": "/platform/users",
    "platform grants": "/platform/grants",
    "platform audit": "/platform/audit",
    "nodes": "/platform/nodes",
    "settings": "/platform/settings",
}
every_page = pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
LOOKS = [("light", "zh"), ("dark", "zh"), ("dark", "en"), ("light", "en")]


@pytest.fixture(scope="module")
def full(estate: Estate) -> Estate:
    fill(estate)
    return estate


@pytest.fixture(scope="module")
def ada(full: Estate, screen: Chromium) -> Iterator[Person]:
    """The administrator of the platform, at one browser for all pages."""
    person = Person.at(screen, full.platform.address)
    full.platform_admin_signs_in(person)
    yield person
    person.close()


@pytest.fixture(scope="module")
def still(full: Estate, screen: Chromium) -> Iterator[Person]:
    """The same administrator at a browser whose clock stands still: how long ago something was does not change."""
    person = Person.at(screen, full.platform.address)
    person.context.clock.set_fixed_time(datetime.now().astimezone())
    full.platform_admin_signs_in(person)
    yield person
    person.close()


@pytest.fixture(scope="module")
def empty(platforms_of_module: Platforms, screen: Chromium) -> Iterator[Person]:
    """The administrator of a platform on which nobody did anything but make the places."""
    estate = Estate(platforms_of_module())
    person = Person.at(screen, estate.platform.address)
    estate.platform_admin_signs_in(person)
    yield person
    person.close()


def looks_right(person: Person, path: str) -> None:
    """Pass where a page is calm, legible and whole in all looks, and on a narrow screen."""
    person.complaints.clear()
    faults: list[str] = []
    person.wears(theme="system", language="zh")
    person.size(WIDE)
    person.open(path)
    for theme, language in LOOKS:
        person.turns(theme=theme, language=language)
        faults += [f"{theme} {language}: {one}" for one in (*person.axe(), *person.faults())]
    person.size(NARROW)
    person.settle()
    faults += [f"narrow: {one}" for one in (*person.axe(), *person.faults())]
    person.size(WIDE)
    assert not faults, "\n".join(faults)
    person.calm()


@every_page
def test_full(ada: Person, path: str) -> None:
    looks_right(ada, path)


@every_page
def test_empty(empty: Person, path: str) -> None:
    looks_right(empty, path)


@every_page
def test_the_address_says_all(still: Person, path: str) -> None:
    """A reload and a way back show the same, to the letter and to the pixel."""
    page = still.open(path)
    before, picture = _shown(still), still.picture()
    page.reload()
    eventually(lambda: _shown(still) == before and still.is_like(picture), f"a reload of {path}")
    page.goto(f"{still.address}/t/acme/-/{'home' if path.endswith('access') else 'me/access'}")
    still.settle()
    page.go_back()
    eventually(lambda: _shown(still) == before and still.is_like(picture), f"the way back to {path}")


def _shown(person: Person) -> list[str]:
    """Give the lines of a page once it says nothing new; what moves with time is left out."""
    person.settle()
    texts: list[str] = []

    def quiet() -> bool:
        texts.append(person.page.inner_text("main"))
        person.page.wait_for_timeout(250)
        reading = "…" in _ends(texts[-1]) and len(texts) < 8  # some words end so for good
        return not reading and texts[-1] == person.page.inner_text("main")

    eventually(quiet, "a page that comes to rest")
    moving = ("ago", "now", "前", "刚", "min.", "sec.", " ms")
    return [line for line in texts[-1].splitlines() if line.strip() and not any(one in line for one in moving)]


def _ends(text: str) -> str:
    """Give the last characters of the lines: what is still being read ends in an ellipsis."""
    return "".join(line.strip()[-1:] for line in text.splitlines())


@every_page
def test_failing(ada: Person, path: str) -> None:
    """What cannot be read says so with its code and request id, and the frame stays."""

    def fail(route: Route) -> None:
        problem = {
            "type": "about:blank",
            "title": "Away",
            "status": 503,
            "code": "unavailable",
            "detail": "the database is away",
        }
        headers = {"X-Request-Id": "01TESTREQUEST"}
        route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem), headers=headers)

    ada.complaints.clear()
    ada.page.route("**/api/v1/**", lambda route: route.continue_() if "/me" in route.request.url else fail(route))
    try:
        ada.wears(theme="system", language="zh")
        ada.page.goto(ada.address + path)
        ada.page.wait_for_timeout(300)
        ada.page.wait_for_selector("main h1, main .k-state, main form")
        _legible(ada)
    finally:
        ada.page.unroute_all()
    ada.calm()


@every_page
def test_forbidden(full: Estate, somebody: Callable[..., Person], path: str) -> None:
    """Somebody without a role sees nothing of what others have, and is told what it needs."""
    stranger = somebody(full.person("nemo"))
    stranger.page.goto(stranger.address + path)
    stranger.page.wait_for_selector("main h1, main .k-state, main form")
    stranger.page.wait_for_timeout(400)
    text = stranger.page.inner_text("main")
    assert "order.create.timeout" not in text
    _legible(stranger)


def _legible(person: Person) -> None:
    """Pass where what is shown is so in all looks."""
    for theme, language in LOOKS:
        person.turns(theme=theme, language=language)
        assert not person.axe(), (theme, language)


def test_the_gallery(ada: Person) -> None:
    for theme, language in LOOKS:
        ada.wears(theme=theme, language=language)
        ada.complaints.clear()
        ada.page.goto(f"{ada.address}/-/kit?theme={theme}&lang={language}")
        ada.page.wait_for_selector("h1")
        ada.page.wait_for_timeout(500)
        assert not ada.axe()
        ada.calm()


def test_hostile_texts_are_only_shown(ada: Person, full: Estate) -> None:
    ada.page.on("dialog", lambda dialog: (ada.complaints.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    ada.complaints.clear()
    for path in PAGES.values():
        ada.open(path)
    assert ada.page.evaluate("() => window.pwned") is None
    assert HOSTILE
    ada.calm()
