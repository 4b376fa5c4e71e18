"""The pages of signing in, as a browser without scripts goes through them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.middleware import DefineMiddleware
from litestar.testing import AsyncTestClient

from qiantang.kernel import errors
from qiantang_server.identity import pages
from qiantang_server.identity.pages import sheet
from qiantang_server.identity.service import Identity
from qiantang_server.kernel.coordination.port import Condition
from qiantang_server.kernel.web import gate, problems
from server.tests.identity.estate import PASSWORD, Clock, Estate

SITE = "http://testserver.local"
SCRIPT = '"><script>alert(1)</script>'


@dataclass
class Browser:
    """A browser: keeps cookies, follows nothing, and says where its forms come from."""

    client: AsyncTestClient[Litestar]
    says: dict[str, str] = field(default_factory=lambda: {"sec-fetch-site": "same-origin", "origin": SITE})

    async def open(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers, follow_redirects=False)

    async def send(self, path: str, fields: dict[str, str], **changed: Any) -> httpx.Response:
        """Send a form; the mark of the last page goes with it."""
        given = {"form": self.mark, **fields}
        headers = {**self.says, **changed.pop("headers", {})}
        return await self.client.post(path, data=given, headers=headers, follow_redirects=False, **changed)

    @property
    def mark(self) -> str:
        return self.client.cookies.get("qiantang-form", "")


def kernel_of(identity: Identity, folder: Path) -> Any:
    coordination = SimpleNamespace(condition=Condition(ready=True))
    database = identity.ground.database
    return SimpleNamespace(coordination=coordination, database=database, node="node-1", folder=folder)


@asynccontextmanager
async def browsing(identity: Identity, folder: Path, base: str = "") -> AsyncGenerator[Browser]:
    application = Litestar(
        route_handlers=[pages.router(pages.Site(identity, kernel_of(identity, folder), base))],
        middleware=[
            DefineMiddleware(gate.Gate, authenticator=identity, denials=identity.ground.denials, secure=identity.secure)
        ],
        exception_handlers=problems.HANDLERS,
        logging_config=None,
    )
    async with AsyncTestClient(application, base_url=SITE) as client:
        yield Browser(client)


@pytest.fixture
async def browser(identity: Identity, tmp_path: Path) -> AsyncGenerator[Browser]:
    async with browsing(identity, tmp_path) as browser:
        yield browser


def said(answer: httpx.Response) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))


def is_kept_safe(answer: httpx.Response, referrer: str = "same-origin") -> None:
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; form-action 'self'; img-src 'self' data:; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert answer.headers["referrer-policy"] == referrer
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in answer.text
    assert " style=" not in answer.text


# signing in and out


async def test_somebody_signs_in_goes_where_he_wanted_and_signs_out(browser: Browser, estate: Estate) -> None:
    await estate.user("ann")
    page = await browser.open("/login?tenant=acme&next=/config/acme")
    is_kept_safe(page)
    assert "Sign in to acme" in said(page)
    assert "/config/acme" in said(page)
    for attribute in ('autocomplete="username"', 'autocomplete="current-password"', 'for="name"', 'for="password"'):
        assert attribute in page.text
    fields = {"name": "ann", "password": PASSWORD}
    answer = await browser.send("/login?tenant=acme&next=/config/acme", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/config/acme")
    kept = answer.headers.get_list("set-cookie")
    assert {one.partition("=")[0] for one in kept} == {"qiantang", "qiantang-device"}
    assert all("httponly" in one.lower() and "samesite=lax" in one.lower() for one in kept)
    again = await browser.open("/login?next=/config/x")
    assert (again.status_code, again.headers["location"]) == (303, "/config/x")
    leave = await browser.open("/logout")
    is_kept_safe(leave)
    assert "ann" in said(leave)
    gone = await browser.send("/logout", {})
    assert (gone.status_code, gone.headers["location"]) == (303, "/login")
    assert (await browser.open("/login")).status_code == 200
    away = await browser.open("/logout")
    assert (away.status_code, away.headers["location"]) == (303, "/login")


async def test_the_tenant_is_asked_for_where_the_address_names_none(browser: Browser, estate: Estate) -> None:
    await estate.user("ann")
    page = await browser.open("/login")
    assert 'id="tenant"' in page.text
    answer = await browser.send("/login", {"name": " ann ", "password": PASSWORD, "tenant": " acme "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_wrong_password_a_strange_name_and_a_strange_tenant_look_alike(
    browser: Browser, estate: Estate
) -> None:
    await estate.user("ann")
    await browser.open("/login")
    told: list[tuple[int, str]] = []
    for name, tenant in (
        ("ann", "acme"),
        ("nobody", "acme"),
        ("ann", "nowhere"),
        ("x" * 500, "acme"),
        ("a\0b", "acme"),
    ):
        answer = await browser.send("/login", {"name": name, "tenant": tenant, "password": "wrong horse battery"})
        is_kept_safe(answer)
        assert 'aria-invalid="true" aria-describedby="password-wrong"' in answer.text
        assert 'id="password-wrong"' in answer.text
        assert "wrong horse battery" not in answer.text
        shown = answer.text.replace(f'value="{name}"', 'value=""').replace(f'value="{tenant}"', 'value=""')
        told.append((answer.status_code, re.sub('value="a.?b"', 'value=""', shown)))
    assert told[0][0] == 401
    assert len(set(told)) == 1


async def test_too_many_wrong_ones_are_told_when_to_come_back(browser: Browser, estate: Estate, clock: Clock) -> None:
    await estate.user("ann")
    await browser.open("/login?lang=zh")
    fields = {"name": "ann", "tenant": "acme", "password": "wrong horse battery"}
    answers = [await browser.send("/login", fields) for _ in range(6)]
    assert [one.status_code for one in answers] == [401] * 5 + [429]
    slow = answers[-1]
    assert slow.headers["retry-after"] == "1"
    assert 'role="alert"' in slow.text
    assert "1 秒后再试" in said(slow)
    clock.pass_(seconds=2)
    right = await browser.send("/login", {**fields, "password": PASSWORD})
    assert right.status_code == 303


async def test_while_the_database_is_away_the_form_says_so(
    browser: Browser, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.open("/login")

    async def away(*_: object) -> None:
        raise errors.UnavailableError("the database is away")

    monkeypatch.setattr(estate.identity.signing_in, "sign_in", away)
    monkeypatch.setattr(estate.identity.signing_in, "nobody_yet", away)
    answer = await browser.send("/login", {"name": "ann", "password": PASSWORD})
    assert answer.status_code == 503
    assert "Nothing was changed" in said(answer)
    assert (await browser.open("/login")).status_code == 200


@pytest.mark.parametrize("base", ["", "/qiantang"])
@pytest.mark.parametrize(
    "wanted", ["//evil.test", "\\\\evil.test", "/\\evil.test", "https://evil.test", "javascript:x"]
)
async def test_nobody_is_sent_to_another_site(
    identity: Identity, estate: Estate, tmp_path: Path, wanted: str, base: str
) -> None:
    await estate.user("ann")
    async with browsing(identity, tmp_path, base) as browser:
        page = await browser.client.get("/login", params={"next": wanted})
        assert "evil" not in page.text
        fields = {"form": browser.mark, "name": "ann", "tenant": "acme", "password": PASSWORD}
        for _ in range(2):  # the second time he is signed in already
            answer = await browser.client.post(
                "/login", params={"next": wanted}, data=fields, headers=browser.says, follow_redirects=False
            )
            assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/")
        answer = await browser.client.get("/login", params={"next": wanted}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/")


async def test_below_a_base_path_every_address_is_below_it(identity: Identity, estate: Estate, tmp_path: Path) -> None:
    await estate.user("ann")
    async with browsing(identity, tmp_path, "/qiantang") as browser:
        page = await browser.open("/login?tenant=acme&next=/qiantang/config")
        found = re.findall(r'(?:href|action)="([^"]+)"', page.text)
        assert found
        assert all(one.startswith(("/qiantang/", "data:")) for one in found), found
        answer = await browser.send("/login?tenant=acme&next=/config", {"name": "ann", "password": PASSWORD})
        assert answer.headers["location"] == "/qiantang/config"


@pytest.mark.parametrize("path", ["/login", "/logout", "/first"])
async def test_what_is_typed_never_becomes_part_of_the_page(browser: Browser, estate: Estate, path: str) -> None:
    await estate.user("ann")
    query = {"next": f"/{SCRIPT}", "tenant": SCRIPT, "lang": SCRIPT, "theme": SCRIPT, "token": SCRIPT}
    page = await browser.client.get(path, params=query)
    is_kept_safe(page, "no-referrer" if path == "/first" else "same-origin")
    fields = {"name": SCRIPT, "tenant": SCRIPT, "password": SCRIPT, "token": SCRIPT, "form": browser.mark}
    answer = await browser.client.post(path, params=query, data=fields, headers=browser.says)
    assert "<script" not in answer.text
    assert "alert(1)</" not in answer.text


# forms of other sites


@pytest.mark.parametrize(
    ("headers", "mark", "passes"),
    [
        ({}, "own", True),
        ({"sec-fetch-site": "same-origin"}, "own", True),
        ({"origin": SITE}, "own", True),
        ({"sec-fetch-site": "cross-site"}, "own", False),
        ({"sec-fetch-site": "same-site"}, "own", False),
        ({"sec-fetch-site": "none"}, "own", False),
        ({"origin": "https://evil.test"}, "own", False),
        ({"origin": "null"}, "own", False),
        ({"sec-fetch-site": "same-origin", "origin": SITE}, "none", False),
        ({"sec-fetch-site": "same-origin", "origin": SITE}, "other", False),
        ({"sec-fetch-site": "same-origin", "origin": SITE}, "é", False),
        ({}, "none", False),
    ],
)
async def test_a_form_counts_only_from_this_sites_own_page(
    browser: Browser, estate: Estate, headers: dict[str, str], mark: str, passes: bool
) -> None:
    await estate.user("ann")
    await browser.open("/login")
    browser.says = headers
    shown = {"own": browser.mark, "none": "", "other": "x" * 43}.get(mark, mark)
    fields = {"form": shown, "name": "ann", "tenant": "acme", "password": PASSWORD}
    answer = await browser.send("/login", fields)
    if passes:
        assert answer.status_code == 303
        return
    assert answer.status_code == 403
    assert "qiantang=" not in str(answer.headers.get_list("set-cookie"))
    assert 'role="alert"' in answer.text
    assert 'value="ann"' in answer.text, "what was typed is kept"


async def test_a_browser_without_the_cookie_signs_nobody_in_or_out(browser: Browser, estate: Estate) -> None:
    await estate.user("ann")
    await browser.open("/login")
    fields = {"name": "ann", "tenant": "acme", "password": PASSWORD}
    assert (await browser.send("/login", fields)).status_code == 303
    mark = browser.mark
    browser.client.cookies.delete("qiantang-form")
    refused = await browser.send("/logout", {"form": mark})
    assert refused.status_code == 403
    assert (await browser.open("/login")).status_code == 303, "still signed in"


async def test_only_forms_of_bounded_size_are_read(browser: Browser, estate: Estate) -> None:
    await browser.open("/login")
    assert (await browser.client.post("/login", json={"name": "ann"})).status_code == 422
    many = {f"f{number}": "x" for number in range(50)}
    assert (await browser.send("/login", many)).status_code == 422
    large = await browser.client.post("/login", data={"name": "x" * (2 << 20)})
    assert large.status_code == 413
    broken = await browser.client.post(
        "/login", content=b"\xff\xfe", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert broken.status_code == 422


async def test_over_tls_every_cookie_that_proves_something_is_bound_to_the_host(
    identity: Identity, estate: Estate, tmp_path: Path
) -> None:
    await estate.user("ann")
    identity.secure = True
    async with browsing(identity, tmp_path) as browser:
        page = await browser.open("/login?lang=zh&theme=dark")
        found = page.headers.get_list("set-cookie")
        form = next(one for one in found if one.startswith("__Host-qiantang-form="))
        for word in ("httponly", "samesite=strict", "path=/", "secure"):
            assert word in form.lower()
        assert "domain" not in form.lower()
        readable = [one for one in found if one.startswith(("qiantang-lang=zh", "qiantang-theme=dark"))]
        assert len(readable) == 2
        assert not [one for one in readable if "httponly" in one.lower()]
        mark = form.partition("=")[2].partition(";")[0]
        fields = {"form": mark, "name": "ann", "tenant": "acme", "password": PASSWORD}
        plain = await browser.client.post(
            "/login", data=fields, headers={"cookie": f"qiantang-form={mark}"}, follow_redirects=False
        )
        assert plain.status_code == 403, "the plain name counts for nothing over TLS"
        answer = await browser.client.post(
            "/login", data=fields, headers={"cookie": f"__Host-qiantang-form={mark}"}, follow_redirects=False
        )
        assert answer.status_code == 303
        kept = [one.partition("=")[0] for one in answer.headers.get_list("set-cookie")]
        assert sorted(kept) == ["__Host-qiantang", "__Host-qiantang-device"]


# language, theme, style


async def test_language_and_theme_are_chosen_by_links_and_kept(browser: Browser, estate: Estate) -> None:
    await estate.user("ann")
    chinese = await browser.open("/login?tenant=acme", **{"accept-language": "zh-CN,en;q=0.1"})
    assert '<html lang="zh-CN" data-theme="system">' in chinese.text
    assert "登录 acme" in said(chinese)
    link = re.search(r'href="(/login\?tenant=acme&amp;lang=en)"', chinese.text)
    assert link is not None
    english = await browser.open(html.unescape(link[1]))
    assert '<html lang="en"' in english.text
    dark = await browser.open("/login?theme=dark", **{"accept-language": "zh"})
    assert '<html lang="en" data-theme="dark">' in dark.text, "the cookie goes before the browser's wish"
    assert '<html lang="en" data-theme="dark">' in (await browser.open("/login")).text


async def test_the_style_sheet_is_kept_by_its_hash(browser: Browser) -> None:
    address = f"/-/sign-in.css?v={sheet.STYLE_HASH}"
    kept = await browser.open(address)
    assert kept.headers["content-type"].startswith("text/css")
    assert "immutable" in kept.headers["cache-control"]
    assert (await browser.open("/-/sign-in.css?v=old")).headers["cache-control"] == "no-cache"
    same = await browser.open(address, **{"if-none-match": kept.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert "url(" not in kept.text
    assert "@import" not in kept.text


# the first start


async def test_the_first_link_makes_the_administrator_once(browser: Browser, identity: Identity, clock: Clock) -> None:
    token = await identity.first_start_token() or ""
    nobody = await browser.open("/login")
    assert "There is no administrator yet" in said(nobody)
    page = await browser.open(f"/first?token={token}")
    is_kept_safe(page, "no-referrer")
    assert "closes in 10 min" in said(page)
    assert page.text.count('autocomplete="new-password"') == 2
    fields = {"token": token, "name": "ada", "password": PASSWORD, "again": PASSWORD}
    wrong: list[tuple[dict[str, str], str, str]] = [
        ({"again": "another"}, "again", "differ"),
        ({"name": "Ada Lovelace"}, "name", "An account is 1 to 64"),
        ({"password": "short", "again": "short"}, "password", "Too short"),
        ({"password": "password1", "again": "password1"}, "password", "guessed first"),
        (
            {"name": "adaadaada", "password": "adaadaada12", "again": "adaadaada12"},
            "password",
            "Little more than a name",
        ),
        ({"password": "x" * 300, "again": "x" * 300}, "password", "Too long"),
    ]
    for changed, where, words in wrong:
        answer = await browser.send("/first", {**fields, **changed})
        is_kept_safe(answer, "no-referrer")
        assert answer.status_code == 422, changed
        assert re.search(rf'<input id="{where}"[^>]+aria-invalid="true" aria-describedby="{where}-wrong', answer.text)
        assert words in said(answer)
        assert answer.text.count("aria-invalid") == 1
        assert f'value="{changed.get("password", PASSWORD)}"' not in answer.text
    # its address is told to nobody, so browsers say that the form comes from nowhere
    made = await browser.send("/first", fields, headers={"origin": "null"})
    assert (made.status_code, made.headers["location"]) == (303, "/")
    assert (await browser.open("/login")).status_code == 303, "he is signed in"
    used = await browser.open(f"/first?token={token}")
    assert used.status_code == 410
    assert "there is an administrator already" in said(used)
    assert (await browser.send("/first", fields)).status_code == 410


async def test_a_link_that_is_over_or_wrong_says_what_to_do(browser: Browser, identity: Identity, clock: Clock) -> None:
    token = await identity.first_start_token() or ""
    for wrong in ("", "x", "é", "%00", token[:-1], token + "x"):
        answer = await browser.open(f"/first?token={wrong}")
        assert answer.status_code == 410, wrong
        assert "qiantang up" in said(answer)
        is_kept_safe(answer, "no-referrer")
        assert "This machine" not in said(answer), "nothing is told of the machine"
    clock.pass_(minutes=9, seconds=30)
    assert "closes in 30 s" in said(await browser.open(f"/first?token={token}"))
    clock.pass_(minutes=1)
    late = await browser.send("/first", {"token": token, "name": "ada", "password": PASSWORD, "again": PASSWORD})
    assert late.status_code == 410


async def test_another_sites_form_makes_no_administrator(browser: Browser, identity: Identity) -> None:
    token = await identity.first_start_token() or ""
    await browser.open(f"/first?token={token}")
    fields = {"token": token, "name": "ada", "password": PASSWORD, "again": PASSWORD}
    for headers in ({"sec-fetch-site": "cross-site", "origin": "null"}, {"origin": "https://evil.test"}):
        browser.says = headers
        assert (await browser.send("/first", fields)).status_code == 403
    browser.says = {}
    assert (await browser.send("/first", {**fields, "form": "x" * 43})).status_code == 403
    assert await identity.signing_in.nobody_yet()
