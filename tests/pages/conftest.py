"""A browser for all tests of pages, and a platform with an estate for each module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator

import pytest
from playwright.sync_api import Browser as Chromium

from tests.pages.browser import Account, Estate, Person, chromium
from tests.servers.product import Platforms, opened_platforms

THERE = pytest.StashKey[list[Person]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of them: they need a browser and the product as a process."""
    for item in items:
        if "/tests/pages/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.process)
            item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what stood on the screens to the report of a test that failed: CI keeps no pictures."""
    report = yield
    if report.when == "call" and report.failed:
        named: dict[str, object] = getattr(item, "funcargs", {})
        others = [one for one in named.values() if isinstance(one, Person)]
        for person in {id(one): one for one in (*item.stash.get(THERE, []), *others)}.values():
            report.sections.append((f"the page at {person.page.url}", person.outline()))
    return report


@pytest.fixture(scope="session")
def screen() -> Iterator[Chromium]:
    """Debian's Chromium, once for all."""
    if shutil.which("chromium") is None:
        if os.environ.get("QIANTANG_TEST_SERVERS") == "required":
            pytest.fail("chromium is not installed: tools/install_servers.sh does it")
        pytest.skip("chromium is not installed")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def platforms_of_module() -> Iterator[Platforms]:
    """Start servers that end with the module."""
    with opened_platforms() as found:
        yield found


@pytest.fixture(scope="module")
def estate(platforms_of_module: Platforms) -> Estate:
    """A platform with people, environments and an application."""
    return Estate(platforms_of_module())


@pytest.fixture
def somebody(screen: Chromium, estate: Estate, request: pytest.FixtureRequest) -> Iterator[Callable[[Account], Person]]:
    """Give people at browsers of their own, signed in; their consoles must have stayed calm."""
    there: list[Person] = request.node.stash.setdefault(THERE, [])

    def at(account: Account) -> Person:
        person = Person.at(screen, estate.platform.address)
        there.append(person)
        person.signs_in(account.name, account.password, account.tenant)
        return person

    yield at
    for person in there:
        person.close()
    for person in there:
        person.calm()


@pytest.fixture
def lin(lived: Estate, somebody: Callable[[Account], Person]) -> Person:
    """A developer who may publish, at a browser of his own; `lived` is a module's own estate, where he and mei have accounts."""
    return somebody(lived.accounts["lin"])


@pytest.fixture
def mei(lived: Estate, somebody: Callable[[Account], Person]) -> Person:
    """The administrator of the tenant, at a browser of her own."""
    return somebody(lived.accounts["mei"])
