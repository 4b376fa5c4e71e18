"""Browser: Debian's Chromium, people signed in in it, and what is held against every page: console, axe, overlaps."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.servers.platform import PASSWORD, USER, Api, Platform

ROOT = Path(__file__).parents[2]
AXE = ROOT / "portal/web/node_modules/axe-core/axe.min.js"
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
DEADLINE = 15_000

# Everything that shows text and is cut or covered by something else is a fault; what scrolls or is cut on purpose is not.
_OVERLAPS = """() => {
  const shown = [...document.querySelectorAll('h1,h2,h3,button,a,label,th,td,dt,dd,.k-status')].filter((one) => {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    return style.visibility !== 'hidden' && box.width > 1 && box.height > 1 && one.textContent.trim() !== ''
      && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && !one.closest('.k-hidden,.s-skip,[aria-hidden=true]');
  });
  const faults = [];
  if (document.documentElement.scrollWidth > innerWidth + 1) faults.push('the page is wider than the window');
  const scrolls = (one) => { for (let up = one; up; up = up.parentElement) {
    if (/(auto|scroll)/.test(getComputedStyle(up).overflowX) && up.scrollWidth > up.clientWidth) return true; } return false; };
  for (const one of shown) {
    const box = one.getBoundingClientRect();
    if (box.right > innerWidth + 1 && !scrolls(one)) faults.push(`cut at the right: ${one.textContent.trim().slice(0, 60)}`);
  }
  // what lies beyond the edge of the part that scrolls is reached by scrolling, and nothing covers it
  const beyond = (one, y) => { for (let up = one.parentElement; up; up = up.parentElement) {
    if (!/(auto|scroll|hidden)/.test(getComputedStyle(up).overflowY) || up.scrollHeight <= up.clientHeight) continue;
    const edge = up.getBoundingClientRect();
    if (y < edge.top || y > edge.bottom) return true; } return false; };
  for (const one of shown.filter((one) => one.matches('button,a,.k-status'))) {
    const box = one.getBoundingClientRect();
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    const top = document.elementFromPoint(x, y);
    if (top && !one.contains(top) && !top.contains(one) && !scrolls(one) && !beyond(one, y) && x < innerWidth
        && !top.closest('[role=dialog],.ant-drawer,.ant-modal,.ant-dropdown,.ant-table-sticky-holder,.k-bulk'))
      faults.push(`covered: ${one.textContent.trim().slice(0, 60)} by ${top.className}`);
  }
  return [...new Set(faults)].slice(0, 12);
}"""


# How many pixels of two pictures differ; -1 where they are not of one size.
_APART = """async (pictures) => {
  const [one, other] = await Promise.all(pictures.map(async (picture) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    return canvas.getImageData(0, 0, image.width, image.height);
  }));
  if (one.width !== other.width || one.height !== other.height) return -1;
  const [a, b] = [one, other].map((drawn) => new Uint32Array(drawn.data.buffer));
  return a.reduce((apart, pixel, place) => apart + (pixel !== b[place]), 0);
}"""
_MOMENTS = "(seen) => document.querySelectorAll('time').forEach((one) => { one.style.visibility = seen; })"
ROUNDING = 200
"""Pixels of 1,296,000 that may differ: corners and edges are not always smoothed alike."""


@dataclass
class Person:
    """Somebody at a browser. What the console says in anger is kept."""

    context: BrowserContext
    page: Page
    address: str
    complaints: list[str] = field(default_factory=list[str])

    def open(self, path: str) -> Page:
        """Go to a path and wait until the page has read what it shows."""
        self.page.goto(self.address + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until nothing is being read any more."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_selector("main h1, main .k-state, main form", timeout=DEADLINE)
        self.page.wait_for_function(
            "() => !document.querySelector('main .k-skeleton, main .k-reading, .ant-spin-spinning')", timeout=DEADLINE
        )
        self.page.evaluate("() => document.fonts.ready")
        self._drawn()

    def outline(self) -> str:
        """Give what stands on the page as a reader of screens has it, or why nobody can tell."""
        try:
            return self.page.locator("body").aria_snapshot(timeout=2000)
        except PlaywrightError as error:
            return f"not to be read: {error}"

    def _drawn(self) -> None:
        """Wait until what was changed a moment ago is drawn: what watches its own size answers one frame later."""
        frames = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))"
        self.page.evaluate(f"() => new Promise((done) => {frames})")

    def turns(self, *, theme: str, language: str) -> None:
        """Change theme and language of the page that is open, with no new load: the system's theme, and the switch in the bar."""
        self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        if self.page.get_attribute("html", "lang") != {"zh": "zh-CN", "en": "en"}[language]:
            self.page.click(".s-tool[lang]")
        self.settle()

    def wears(self, *, theme: str, language: str) -> None:
        """Choose theme and language for what is opened from now on."""
        url = self.address
        self.context.add_cookies(
            [
                {"name": "qiantang-theme", "value": theme, "url": url},
                {"name": "qiantang-lang", "value": language, "url": url},
            ]
        )

    def size(self, size: dict[str, int]) -> None:
        """Make the window as large as that."""
        self.page.set_viewport_size(size)  # type: ignore[arg-type]

    def axe(self) -> list[str]:
        """Give the violations of WCAG A and AA on what is shown, in one line each."""
        self.page.evaluate(AXE.read_text())
        options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
        found: Any = self.page.evaluate(f"() => axe.run(document, {json.dumps(options)})")
        return [
            f"{one['id']}: {node['target']} {node['failureSummary'][:200]}"
            for one in found["violations"]
            for node in one["nodes"][:4]
        ]

    def faults(self) -> list[str]:
        """Give what overlaps, is cut, or is wider than the window."""
        return list(self.page.evaluate(_OVERLAPS))

    def picture(self) -> str:
        """Draw what is shown as base64, but for what goes on by itself: the foot, which says how live a page is, and moments.

        The server's clock moves on where a test's stands still, so that "last seen" of a session is another a minute later.
        """
        self.page.mouse.move(0, 0)
        self.page.evaluate(_MOMENTS, "hidden")  # by its own style each: the page's policy lets no other in
        drawn = self.page.screenshot(mask=[self.page.locator(".s-foot")], animations="disabled", caret="hide")
        self.page.evaluate(_MOMENTS, "")
        return base64.b64encode(drawn).decode()

    def is_like(self, picture: str) -> bool:
        """Say whether what is shown is that picture, but for what a corner's rounding may come to."""
        blank = self.context.new_page()
        try:
            apart = int(blank.evaluate(_APART, [picture, self.picture()]))
        finally:
            blank.close()
        return 0 <= apart <= ROUNDING

    def calm(self) -> None:
        """Pass where the console never complained.

        Raises:
            AssertionError: it did; with all that it said.
        """
        assert not self.complaints, self.complaints

    def _heard(self, message: ConsoleMessage) -> None:
        expected = re.search(r"Failed to load resource.*(401|403|404|409|412|422|503)", message.text)
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(f"{message.type}: {message.text}")

    @classmethod
    def at(cls, chromium: Chromium, address: str, **options: Any) -> Person:
        """Open a browser of his own for somebody."""
        context = chromium.new_context(viewport=WIDE, locale="en-GB", reduced_motion="reduce", **options)  # type: ignore[arg-type]
        context.set_default_timeout(DEADLINE)
        page = context.new_page()
        person = cls(context, page, address)
        page.on("console", person._heard)
        page.on("pageerror", lambda error: person.complaints.append(f"thrown: {error}"))
        return person

    def signs_in(self, name: str, password: str, tenant: str = "") -> None:
        """Sign in on the platform's own page, as a person does."""
        self.page.goto(f"{self.address}/login")
        if tenant:
            self.page.fill("input[name=tenant]", tenant)
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", password)
        self.page.click("form button[type=submit]")
        self.page.wait_for_url(lambda url: "/login" not in url)

    def close(self) -> None:
        """Close the browser."""
        self.context.close()


@contextlib.contextmanager
def chromium() -> Iterator[Chromium]:
    """Start Debian's Chromium without a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def chromium_with_profile(port: int) -> Generator[BrowserContext]:
    """Start it with a profile of its own, to be looked at from outside over a debugging port."""
    arguments = ["--no-sandbox", f"--remote-debugging-port={port}"]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path="/usr/bin/chromium", args=arguments
        )
        try:
            yield context
        finally:
            context.close()


@dataclass
class Account:
    """Somebody who can sign in."""

    name: str
    password: str
    tenant: str
    id: str


class Estate:
    """A platform with people of different roles, two environments and an application that has a history."""

    tenant = "acme"

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.api: Api = platform.administrator()
        self.accounts: dict[str, Account] = {}
        self.api.make_application("acme/dev/trade/order")
        self.api.have("identity/tenants/acme/environments", {"name": "prod", "protected": True, "title": "Production"})

    def person(self, name: str, *roles: str, pattern: str = "acme") -> Account:
        """Give somebody with these roles, made at the first call."""
        if name in self.accounts:
            return self.accounts[name]
        password = secrets.token_urlsafe(16)
        made = self.api.call(
            "POST", "identity/tenants/acme/users", {"name": name, "password": password, "title": name.title()}
        )
        for role in roles:
            self.api.call("POST", "identity/grants", {"user": made["id"], "role": role, "pattern": pattern})
        self.accounts[name] = Account(name, password, "acme", made["id"])
        return self.accounts[name]

    def platform_admin_signs_in(self, person: Person) -> None:
        """Sign the first administrator in, who belongs to the platform itself."""
        person.signs_in(USER, PASSWORD)

    def as_person(self, account: Account) -> Api:
        """Give the API as somebody uses it with a token of his own."""
        with httpx.Client(base_url=self.platform.address, timeout=30) as client:
            body = {"tenant": account.tenant, "name": account.name, "password": account.password}
            client.post("/api/v1/identity/login", json=body).raise_for_status()
            headers = {"X-Qiantang": "1", "Origin": self.platform.address}
            made = client.post("/api/v1/identity/tokens", json={"name": "tests", "lifetime_days": 1}, headers=headers)
            made.raise_for_status()
            return self.platform.as_bearer(made.json()["token"])
