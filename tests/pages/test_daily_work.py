"""Daily work beside the main flow: files in and out, a time to come, who is first, secrets as a whole, and who may do what."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.pages import journey
from tests.pages.browser import Account, Estate, Person
from tests.servers.product import eventually

SCOPE, HUB = "acme/dev/trade/order", "/t/acme/dev/apps/trade/order"
SECRET = "-----BEGIN KEY----- of a throw-away platform"

At = Callable[[Account], Person]


@pytest.fixture(scope="module")
def lived(estate: Estate) -> Estate:
    """An application with something published, a developer and a tenant's administrator."""
    estate.person("lin", "developer", "publisher")
    estate.person("mei", "tenant-admin")
    estate.api.set(SCOPE, {"number": 1, "text": "one"})
    estate.api.publish(SCOPE, message="the first")
    return estate


def test_a_file_is_told_of_before_it_is_taken_in(lived: Estate, lin: Person) -> None:
    page = lin.open(f"{HUB}/config/transfer")
    take = page.get_by_role("button", name="Take in as drafts")
    expect(take).to_have_attribute("aria-disabled", "true")
    _chooses(page, "limits.yaml", b"stock:\n  qps: 400\n")
    page.get_by_role("button", name="Tell what would happen").click()
    expect(page.get_by_role("heading", name="What would happen")).to_be_visible()
    assert _namespaces(lived) == ["application"]  # nothing was done
    take.click()
    expect(page.get_by_text("Taken in as drafts; nothing is published.")).to_be_visible()
    assert _namespaces(lived) == ["application", "limits"]
    # what is there already is refused unless one says otherwise
    _chooses(page, "application.properties", b"number = 2\n")
    page.get_by_role("button", name="Tell what would happen").click()
    expect(page.get_by_role("alert")).to_contain_text("exists and would change")
    expect(take).to_have_attribute("aria-disabled", "true")
    page.get_by_role("radiogroup", name="What exists already").get_by_text("Merge", exact=True).click()
    page.get_by_role("button", name="Tell what would happen").click()
    expect(page.get_by_text("change", exact=True)).to_be_visible()
    take.click()
    page.get_by_role("link", name="See the diff").click()
    expect(page.get_by_text("limits", exact=True).first).to_be_visible()
    found = lived.api.call("GET", f"config/{SCOPE}/namespaces/application")["draft"]["items"]
    assert {key: item["value"] for key, item in found.items()} == {"number": "2", "text": "one"}


def test_what_is_published_goes_out_as_a_file(lin: Person) -> None:
    page = lin.open(f"{HUB}/config/transfer")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Export all").click()
    assert waiting.value.suggested_filename == "order-dev.zip"
    with zipfile.ZipFile(io.BytesIO(waiting.value.path().read_bytes())) as archive:
        assert "application.properties" in {name.rpartition("/")[2] for name in archive.namelist()}


def _chooses(page: Page, name: str, content: bytes) -> None:
    page.get_by_label("File", exact=True).set_input_files([{"name": name, "mimeType": "text/plain", "buffer": content}])


def _namespaces(lived: Estate) -> list[str]:
    return sorted(one["name"] for one in lived.api.call("GET", f"config/{SCOPE}/namespaces")["items"])


def test_a_release_waits_for_its_time_and_can_be_taken_back(lived: Estate, lin: Person) -> None:
    lived.api.set(SCOPE, {"number": 3, "text": "later"})
    before = lived.api.revision(SCOPE)
    page = lin.open(f"{HUB}/config/publish")
    page.get_by_role("radiogroup", name="When").get_by_text("At a time", exact=True).click()
    button = page.get_by_role("button", name="Publish at that time")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", "Choose a time to come.")
    tomorrow = datetime.now().astimezone() + timedelta(days=1)
    page.get_by_label("At a time", exact=True).last.fill(tomorrow.strftime("%Y-%m-%dT%H:%M"))
    button.click()
    page.wait_for_url(re.compile(r"/config/requests\?id="))
    expect(page.get_by_text("scheduled", exact=True).first).to_be_visible()
    assert lived.api.revision(SCOPE) == before
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("taken back", exact=True).first).to_be_visible()
    # and one whose time comes is published by itself, while the page looks on
    asked = {"expected_revision": before, "message": "at its time", "at": int(time.time() * 1000) + 3000}
    request = lived.api.call("POST", f"config/{SCOPE}/releases", asked)
    page = lin.open(f"{HUB}/config/requests?id={request['request']['id']}")
    expect(page.get_by_role("region").get_by_text("published", exact=True).first).to_be_visible()
    assert lived.api.revision(SCOPE) == before + 1


def test_first_for_a_cluster_then_for_half_then_not_at_all(lived: Estate, lin: Person) -> None:
    page = lin.page
    with journey.instances(lived.platform, lived.api, SCOPE, "order-1", "order-2") as clients:
        now = clients[0].number
        lived.api.set(SCOPE, {"number": 40, "text": "gray"})
        lin.open(f"{HUB}/config/publish")
        journey.way(page, "Percent")
        expect(page.get_by_role("slider").first).to_be_visible()
        journey.way(page, "Labels")
        page.get_by_placeholder("zone=hz-a").fill("zone=nowhere")
        expect(page.get_by_role("button", name=re.compile("^Publish to 0 instances first"))).to_be_visible()
        journey.way(page, "Count")
        page.get_by_role("button", name="Publish to 1 instance first").click()
        expect(journey.ring(page, "1 of 1 applied")).to_be_visible()
        assert sorted(client.number for client in clients) == sorted((now, 40))
        page.get_by_role("button", name="Abort").click()
        dialog = page.get_by_role("dialog", name="Abort")
        dialog.get_by_role("button", name="Abort").click()
        expect(dialog).to_be_hidden()
        for client in clients:
            client.wait(now)


def test_what_is_not_saved_is_not_left_by_accident(lived: Estate, lin: Person) -> None:
    lived.api.call(
        "PUT",
        f"config/{SCOPE}/namespaces/notes",
        {"body": {"format": "text", "document": "as it was"}},
        **{"If-Match": "*"},
    )
    page = lin.open(f"{HUB}/config/edit/application")
    page.get_by_role("link", name=re.compile("^notes")).click()
    source = page.get_by_role("textbox", name="Source in text")
    source.click()
    page.keyboard.type("of lin, ")
    page.get_by_role("link", name="History", exact=True).first.click()
    dialog = page.get_by_role("dialog", name="Not saved yet")
    expect(dialog).to_contain_text("What you wrote in notes is lost when you leave.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(source).to_contain_text("of lin")
    page.go_back()  # nor by the way back
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="History", exact=True).first.click()
    dialog.get_by_role("button", name="Leave without saving").click()
    page.wait_for_url(re.compile("/config/history"))
    assert lived.api.call("GET", f"config/{SCOPE}/namespaces/notes")["draft"]["document"] == "as it was"


def test_a_document_that_is_a_secret_as_a_whole(lived: Estate, lin: Person, mei: Person) -> None:
    page = lin.open(f"{HUB}/config")
    page.get_by_role("button", name="New namespace").first.click()
    form = page.get_by_role("dialog", name="New namespace")
    form.get_by_label("Name").fill("key")
    form.get_by_role("radiogroup", name="Format").get_by_text("text", exact=True).click()
    form.get_by_role("switch", name="Secret as a whole").click()
    form.get_by_label("Content", exact=True).fill(SECRET)
    form.get_by_role("button", name="Make draft").click()
    expect(form).to_be_hidden()
    expect(page.get_by_text("secret as a whole").first).to_be_visible()
    assert SECRET not in page.content()
    page = mei.open(f"{HUB}/config/edit/key")
    assert SECRET not in page.content()
    page.get_by_role("button", name="Reveal").first.click()
    expect(page.get_by_role("textbox").get_by_text(SECRET)).to_be_visible()


def test_a_document_becomes_a_secret_later(lived: Estate, lin: Person) -> None:
    place = f"config/{SCOPE}/namespaces/later"
    lived.api.call("PUT", place, {"body": {"format": "text", "document": SECRET}}, **{"If-Match": "*"})
    page = lin.open(f"{HUB}/config/edit/later?mode=source")
    expect(page.get_by_role("textbox").get_by_text(SECRET)).to_be_visible()
    page.get_by_role("checkbox", name="Keep the whole document secret").check()
    expect(page.get_by_text("Revisions published before keep it readable")).to_be_visible()
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("secret as a whole").first).to_be_visible()
    expect(page.get_by_role("textbox").get_by_text(SECRET)).to_be_hidden()
    assert "mask" in lived.api.call("GET", place)["draft"]["document"]["$secret"]


def test_the_bar_of_the_scope_leads_to_another_environment_center_and_application(lived: Estate, mei: Person) -> None:
    lived.api.make_application("acme/dev/finance/billing")
    page = mei.open(f"{HUB}/config/edit/application")
    page.wait_for_timeout(1500)  # what opens is made once the page rests: before that and after it are two ways
    for part, chosen, where in (
        ("Environment: dev", "prod", "/t/acme/prod/apps/trade/order/config"),
        ("Center: trade", "finance", "/t/acme/prod/apps.center=finance"),
        ("Application: All applications", "finance/billing", "/t/acme/prod/apps/finance/billing"),
        ("Tenant: acme", "acme", "/t/acme/"),
    ):
        page.get_by_role("button", name=part).click()
        page.get_by_role("option", name=re.compile("^" + chosen.replace("/", "."))).first.click()
        page.wait_for_url(re.compile(where))


def test_a_grant_is_given_once_its_effect_is_told_and_taken_back(lived: Estate, somebody: At, mei: Person) -> None:
    wen = lived.person("wen")
    page = mei.open(f"/t/acme/-/users/{wen.id}")
    expect(page.get_by_text("wen holds no role")).to_be_visible()
    page.get_by_role("button", name="Grant a role").first.click()
    form = page.get_by_role("dialog", name="Grant wen a role")
    form.get_by_label("Role").click()
    page.locator(".ant-select-item-option").filter(has_text=re.compile("^viewer")).click()
    expect(form.get_by_role("heading", name=re.compile(r"Gains \d+ permissions"))).to_be_visible()
    form.get_by_label("Reason").fill("looks on")
    form.get_by_role("button", name="Grant viewer").click()
    expect(form).to_be_hidden()
    row = page.get_by_role("row", name=re.compile("viewer"))
    expect(row).to_be_visible()
    looking = somebody(wen)
    looking.open(f"{HUB}/config/edit/application")
    expect(journey.row(looking.page, "number")).to_be_visible()
    row.get_by_role("button", name="Take back").click()
    dialog = page.get_by_role("dialog", name="Take back viewer from wen")
    expect(dialog).to_contain_text(re.compile(r"wen loses \d+ permissions\."))
    dialog.get_by_role("button", name="Take back viewer").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("wen holds no role")).to_be_visible()
    eventually(lambda: _status(looking, f"config/{SCOPE}/namespaces/application") in {403, 404}, "nothing for wen")


def test_who_is_disabled_is_out_and_comes_in_again_when_enabled(lived: Estate, somebody: At, mei: Person) -> None:
    gone = lived.person("gone", "viewer")
    there = somebody(gone)
    there.open("/t/acme/dev/home")
    page = mei.open(f"/t/acme/-/users/{gone.id}")
    page.get_by_role("button", name="Disable").click()
    dialog = page.get_by_role("dialog", name="Disable gone")
    dialog.get_by_role("button", name="Disable gone").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Disabled", exact=True).first).to_be_visible()
    there.page.reload()
    there.page.wait_for_url(re.compile("/login"))
    page.get_by_role("button", name="Enable").click()
    page.get_by_role("dialog").get_by_role("button", name="Enable gone").click()
    expect(page.get_by_text("Enabled", exact=True).first).to_be_visible()
    there.signs_in(gone.name, gone.password, gone.tenant)


def test_a_tenant_that_is_disabled_lets_nobody_in(lived: Estate, somebody: At) -> None:
    lived.api.make_application("side/dev/trade/order")
    password = lived.accounts["lin"].password
    made = lived.api.call("POST", "identity/tenants/side/users", {"name": "sid", "password": password})
    sid = Account("sid", password, "side", made["id"])
    there = somebody(sid)
    screen = there.page.context.browser
    assert screen is not None
    ada = Person.at(screen, lived.platform.address)
    try:
        lived.platform_admin_signs_in(ada)
        looking = ada.open("/platform/tenants?peek=side")
        looking.get_by_role("button", name="Disable tenant").click()
        dialog = looking.get_by_role("dialog", name="Disable side")
        expect(dialog).to_contain_text("1 user")
        dialog.get_by_label("Type side to confirm").fill("side")
        dialog.get_by_role("button", name="Disable side").click()
        expect(dialog).to_be_hidden()
        there.page.reload()
        there.page.wait_for_url(re.compile("/login"))
        looking.get_by_role("button", name="Enable tenant").click()
        looking.get_by_role("dialog", name="Enable side").get_by_role("button", name="Enable side").click()
        expect(looking.get_by_role("button", name="Disable tenant")).to_be_visible()
        there.open("/t/side/dev/home")
        ada.calm()
    finally:
        ada.close()


def _status(person: Person, path: str) -> int:
    return person.page.request.get(f"{person.address}/api/v1/{path}").status
