"""The guide of five minutes, step by step: what it says one sees is seen, and the program that it shows is the one that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.e2e.readme import ROOT, block
from tests.pages import journey
from tests.pages.browser import Person
from tests.servers.demo import Demo
from tests.servers.product import eventually

GUIDE = "docs/guide/five-minutes.md"


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as made:
        yield made


@pytest.fixture
def person(screen: Chromium, demo: Demo) -> Iterator[Person]:
    somebody = Person.at(screen, demo.address)
    somebody.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=demo.address)
    yield somebody
    somebody.close()
    somebody.calm()


class Program:
    """The guide's program in a terminal of its own."""

    def __init__(self, folder: Path, exports: str, name: str) -> None:
        program = folder / "hello.py"
        program.write_text(block(GUIDE, "import msgspec, qiantang"))
        said = dict(re.findall(r"export (\w+)='?([^'\n]*)'?", exports))
        self._said = folder / f"{name}.txt"
        with self._said.open("w") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-u", str(program)],
                cwd=ROOT,
                env={**os.environ, **said, "QIANTANG_CLIENT_INSTANCE": name, "HOME": str(folder)},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    @property
    def lines(self) -> list[str]:
        """What it printed, without the prompt that ends it."""
        return self._said.read_text().replace("Enter ends it\n", "").splitlines()

    def says(self, line: str) -> None:
        """Wait until this is the last line that it printed."""
        eventually(lambda: self.lines[-1:] == [line], f"{line!r}, not {self.lines}")


def test_five_minutes(person: Person, demo: Demo, tmp_path: Path) -> None:
    page = person.page
    journey.first_start(person, demo, "root")
    expect(page.get_by_role("heading", name="My work")).to_be_visible()
    _look_at_what_is_there(page, demo)
    exports = _make_an_application(person)
    with ExitStack() as stack:
        programs = [stack.enter_context(Program(tmp_path, exports, name)) for name in ("hello-1", "hello-2")]
        for program in programs:
            program.says("at first hello")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Instances", exact=True).click()
        expect(page.get_by_role("row", name=re.compile("hello-1"))).to_be_visible()
        expect(page.get_by_role("row", name=re.compile("hello-2"))).to_be_visible()
        _set_the_first_value(page, programs)
        _change_it_for_one_first(page, programs)
        _roll_back(page, programs)


def _look_at_what_is_there(page: Page, demo: Demo) -> None:
    expect(page.get_by_text("billing-2").first).to_be_visible(timeout=30_000)
    assert "ValueError" in demo.said
    page.get_by_role("link", name="Review").first.click()
    page.get_by_role("button", name="Approve and publish").click()
    expect(page.get_by_role("row", name=re.compile("billing-2"))).to_be_visible()
    eventually(lambda: "revision 5 changes rates.JPY" in demo.said, "billing-2 took it")


def _make_an_application(person: Person) -> str:
    """Make it with a credential; give the lines for a shell that were copied."""
    page = person.page
    page.get_by_role("button", name=re.compile("^Environment: ")).click()
    page.get_by_role("option", name=re.compile("^dev")).click()
    expect(page.get_by_role("button", name="Environment: dev")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Applications")).first.click()
    page.get_by_role("button", name="New application").first.click()
    form = page.get_by_role("dialog")
    journey.choose(form.get_by_role("combobox"), "trade")
    form.get_by_label("Name").fill("hello")
    form.get_by_role("button", name="Make application").click()
    expect(page.get_by_role("heading", name="hello", level=1)).to_be_visible()
    page.get_by_role("navigation", name="Parts of the application").get_by_role("link", name="Credentials").click()
    page.get_by_role("button", name="New credential").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Create credential").click()
    page.get_by_role("button", name="Copy all").click()
    return eventually(lambda: _exports(page), "the copied lines")


def _exports(page: Page) -> str:
    """What the clipboard holds, once it is what was to be copied: a browser copies in its own time."""
    copied = str(page.evaluate("() => navigator.clipboard.readText()"))
    return copied if "export " in copied else ""


def _set_the_first_value(page: Page, programs: list[Program]) -> None:
    page.get_by_role("main").get_by_role("link", name="Configuration", exact=True).first.click()
    page.get_by_role("button", name="New namespace").first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("application")
    form.get_by_label("Content", exact=True).fill("greeting=good day")
    form.get_by_role("button", name="Make draft").click()
    expect(journey.row(page, "greeting")).to_be_visible()
    page.get_by_role("link", name="Publish").or_(page.get_by_role("button", name="Publish")).first.click()
    page.get_by_label("Message").fill("the first")
    page.get_by_role("button", name="Publish to 2 instances").click()
    for program in programs:
        program.says("now good day")
    expect(journey.ring(page, "2 of 2")).to_be_visible()


def _change_it_for_one_first(page: Page, programs: list[Program]) -> None:
    page.get_by_role("link", name="Edit").first.click()
    journey.row(page, "greeting").click()
    expect(journey.row(page, "greeting")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.get_by_label("Value of greeting").fill("good morning")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_label("Value of greeting")).to_be_hidden()
    page.get_by_role("link", name="Publish").or_(page.get_by_role("button", name="Publish")).first.click()
    journey.way(page, "Count")
    page.get_by_role("button", name="Publish to 1 instance first").click()
    eventually(lambda: sorted(one.lines[-1] for one in programs) == ["now good day", "now good morning"], "one of two")
    page.get_by_role("button", name="Promote to all").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Promote")).click()
    for program in programs:
        program.says("now good morning")


def _roll_back(page: Page, programs: list[Program]) -> None:
    page.get_by_role("link", name="History").first.click()
    history = page.get_by_role("region", name="History")  # the page before has rows of r3 as well
    expect(history.get_by_role("row", name=re.compile("r3"))).to_be_visible()  # until then rows move down under a click
    page.get_by_role("row", name=re.compile("the first")).click()
    page.get_by_role("button", name="Roll back to r1").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Roll back")).click()
    for program in programs:
        program.says("now good day")
    expect(page.get_by_text("r4").first).to_be_visible()
