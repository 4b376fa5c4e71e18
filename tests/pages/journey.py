"""Journey: what a person does on the pages from the printed link to a release on all instances, each step by its words.

Everything is found by its role and what it says in English. Nothing waits for a time: each step waits for what it leads to.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Generator
from typing import Any

from playwright.sync_api import Locator, Page, expect

import qiantang
from tests.pages.browser import DEADLINE, Person
from tests.servers.platform import PASSWORD, USER, Api, Platform
from tests.servers.product import Client

expect.set_options(timeout=DEADLINE)


def first_start(person: Person, platform: Platform, name: str = USER, password: str = PASSWORD) -> None:
    """Open the printed link, make the administrator there, and be signed in."""
    page = person.page
    page.goto(str(platform.started()["link"]))
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password again").fill(password)
    page.get_by_role("button", name="Create and sign in").click()
    expect(page.get_by_role("button", name=f"Account of {name}")).to_be_visible()


def api_of(person: Person, platform: Platform) -> Api:
    """Give the API with a token that this person makes in this browser."""
    headers = {"X-Qiantang": "1", "Origin": person.address}
    made = person.page.request.post(
        f"{person.address}/api/v1/identity/tokens", data={"name": "journey", "lifetime_days": 1}, headers=headers
    )
    assert made.ok, made.text()
    return platform.as_bearer(made.json()["token"])


def make_tenant(page: Page, name: str) -> None:
    """Make a tenant where one is led to right after the first start."""
    expect(page.get_by_role("heading", name="Tenants", exact=True)).to_be_visible()
    page.keyboard.press("c")
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill(name)
    form.get_by_role("button", name="Create tenant").click()
    page.wait_for_url(re.compile(rf"/t/{name}/-/environments"))


def make_environment(page: Page, name: str, *, protected: bool = False) -> None:
    """Make an environment on the page of environments."""
    page.get_by_role("button", name="New environment").first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill(name)
    if protected:
        form.get_by_role("checkbox", name="Protect this environment").check()
    form.get_by_role("button", name="Create environment").click()
    expect(page.get_by_role("link", name="Open environment")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("row", name=re.compile(rf"\b{name}\b"))).to_be_visible()


def make_application(person: Person, environment: str, center: str, name: str) -> None:
    """Make an application by the key C, with a center that is not there yet, from the list of the tenant."""
    page = person.open(f"/t/acme/{environment}/apps")
    page.keyboard.press("c")
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").fill(center)
    page.get_by_role("option", name=f"New center “{center}”").or_(
        page.get_by_title(f"New center “{center}”")
    ).first.click()
    form.get_by_label("Name").fill(name)
    form.get_by_role("button", name="Make application").click()
    page.wait_for_url(re.compile(rf"/apps/{center}/{name}/overview"))


@contextlib.contextmanager
def instances(
    platform: Platform, api: Api, scope: str, *names: str, refuses: Callable[[Client], None] | None = None
) -> Generator[list[Client]]:
    """Run instances of an application; `refuses` is a callback that the last one runs on each change of the number."""
    tenant, environment, center, application = scope.split("/")
    path = f"identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}"
    issued = api.call("POST", f"{path}/credentials", {"title": "journey"})
    options: dict[str, Any] = {
        "tenant": tenant,
        "environment": environment,
        "center": center,
        "application": application,
        "credential": issued["id"],
        "secret": issued["secret"],
        "servers": [platform.address],
        "keep_copy": False,
        "start_deadline": 30.0,
    }
    running: list[Client] = []
    try:
        for at, name in enumerate(names):
            client = Client(qiantang.sync.App(**options, instance=name), name)
            if refuses is not None and at == len(names) - 1:
                client.app.config.on_change("number", functools.partial(_told, client, refuses))
            client.app.open()
            running.append(client)
        yield running
    finally:
        for client in running:
            client.app.close()


def _told(client: Client, refuses: Callable[[Client], None], _event: object) -> None:
    refuses(client)


def new_key(page: Page, key: str, value: str, *, type_: str = "", secret: bool = False) -> None:
    """Add a key in the editor."""
    page.get_by_role("button", name="New key").first.click()
    form = page.get_by_role("dialog", name="New key")
    form.get_by_label("Key").fill(key)
    if type_:
        choose(form.get_by_label("Type"), type_)
    if secret:
        form.get_by_role("switch", name="Secret").click()
    form.get_by_label("Value").fill(value)
    form.get_by_role("button", name="Save draft").click()
    expect(form).to_be_hidden()
    expect(row(page, key)).to_be_visible()


def choose(control: Locator, option: str) -> None:
    """Choose from a list that opens."""
    control.click()
    control.page.locator(f".ant-select-item-option[title='{option}']").click()


def row(page: Page, key: str) -> Locator:
    """The row of a key in the editor."""
    return page.get_by_role("table", name="Keys").locator(f"[data-key='{key}']")


def write(page: Page, key: str, value: str) -> None:
    """Open a key in its row, write a value and save it as a draft."""
    open_row(page, key)
    page.get_by_label(f"Value of {key}").fill(value)
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_label(f"Value of {key}")).to_be_hidden()


def open_row(page: Page, key: str) -> None:
    """Open the editor of a key in its row, by the keyboard as somebody quick does."""
    row(page, key).click()
    expect(row(page, key)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("e")
    expect(page.get_by_label(f"Value of {key}")).to_be_visible()


def ring(page: Page, words: str) -> Locator:
    """The ring of convergence once it says this."""
    return page.get_by_role("img", name=re.compile(words))


def publishes(page: Page, to: str, message: str = "") -> None:
    """Go to the page of publishing and press its one button, which says for how many it is."""
    to_publishing(page)
    if message:
        page.get_by_placeholder("Why; kept in the history").fill(message)
    page.get_by_role("button", name=to).click()


def to_publishing(page: Page) -> None:
    """Go to the page of publishing by its key."""
    page.keyboard.press("p")
    page.wait_for_url(re.compile("/publish"))


def way(page: Page, name: str) -> None:
    """Choose the way of a canary: all at once, by percent, by count, by labels or by instances."""
    page.get_by_role("radiogroup", name="Canary").get_by_text(name, exact=True).click()
