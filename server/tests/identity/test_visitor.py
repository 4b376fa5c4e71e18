"""What a visitor asks for before anybody knows him: where to go, in which language, how it looks."""

from __future__ import annotations

import re
import string
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.identity.pages import words
from qiantang_server.identity.pages.visitor import Visitor, local_path, named_tenant

HOSTILE = [
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "\\/evil.test",
    "https://evil.test",
    "https:evil.test",
    "https:/evil.test",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "/\t/evil.test",
    "/\n/evil.test",
    "\t//evil.test",
    " //evil.test",
    "/ /evil.test",
    "/\r\nSet-Cookie: a=b",
    "evil.test",
    "@evil.test",
    "",
    "/" * 3000,
    "/x" * 1001,
    "/login",
    "/login/",
    "/login?next=/login",
    "/logout#x",
    "/first?token=x",
]


@pytest.mark.parametrize("wanted", HOSTILE)
@pytest.mark.parametrize("base", ["", "/qiantang"])
def test_what_could_be_another_site_is_not_gone_to(wanted: str, base: str) -> None:
    assert local_path(wanted, base) == f"{base}/"


@pytest.mark.parametrize(
    ("wanted", "base", "goal"),
    [
        ("/config/acme?x=1&y=2#z", "", "/config/acme?x=1&y=2#z"),
        ("/config/acme", "/qiantang", "/qiantang/config/acme"),
        ("/qiantang/config/acme", "/qiantang", "/qiantang/config/acme"),
        ("/qiantang", "/qiantang", "/qiantang"),
        ("/qiantangs", "/qiantang", "/qiantang/qiantangs"),
        ("/qiantang/login", "/qiantang", "/qiantang/"),
        ("/qiantang//evil.test", "/qiantang", "/qiantang/"),
        ("/a%2f%2fevil.test", "", "/a%2f%2fevil.test"),
        ("/配置", "", "/%E9%85%8D%E7%BD%AE"),
        ('/"><script>', "", "/%22%3E%3Cscript%3E"),
        ("/logins", "", "/logins"),
    ],
)
def test_a_path_of_this_site_is_gone_to(wanted: str, base: str, goal: str) -> None:
    assert local_path(wanted, base) == goal


@given(st.text(alphabet=string.printable + "配\u2028\u202e\x00\xa0", max_size=40), st.sampled_from(["", "/q"]))
def test_whatever_is_wanted_a_browser_stays_here(wanted: str, base: str) -> None:
    for one in (wanted, f"/{wanted}", f"//{wanted}"):
        goal = local_path(one, base)
        assert goal.isascii()
        assert goal.isprintable()
        assert goal.startswith(f"{base}/") or goal == base
        assert not re.match(r"^[/\\]{2}", goal)
        assert urlsplit(urljoin("https://here.test/login", goal)).netloc == "here.test"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr,de;q=0.9", "en"),
        ("fr, zh-TW;q=0.3, en;q=0.2", "zh"),
        ("en;q=0.1, zh;q=0.7", "zh"),
        ("zh;q=2, en;q=0.1", "en"),
        ("zh;q=x", "en"),
        (";;;,,,=", "en"),
        ("zh" * 100_000, "en"),
    ],
)
def test_the_language_is_the_first_that_there_is(accepted: str, language: str) -> None:
    assert words.negotiated(accepted) == language


def test_what_the_address_says_goes_before_what_was_chosen() -> None:
    kept = {"qiantang-lang": "zh", "qiantang-theme": "dark"}
    assert Visitor.of({}, kept, "en") == Visitor("zh", "dark", {})
    asked = Visitor.of({"lang": "en", "theme": "system"}, kept, "zh")
    assert (asked.language, asked.theme) == ("en", "system")
    assert asked.chosen == {"qiantang-lang": "en", "qiantang-theme": "system"}
    forged = {"qiantang-lang": '"><script>', "qiantang-theme": "neon"}
    assert Visitor.of({"lang": "xx", "theme": "../"}, forged, "zh") == Visitor("zh", "system", {})


def test_both_languages_say_the_same_things() -> None:
    chinese, english = words._WORDS["zh"], words._WORDS["en"]
    assert set(chinese) == set(english)
    for key in chinese:
        assert set(re.findall(r"{\w+}", chinese[key])) == set(re.findall(r"{\w+}", english[key])), key
    assert [words.Words("en").duration(one) for one in (0.2, 59.1, 90, 91, 600)] == [
        "1 s",
        "60 s",
        "90 s",
        "2 min",
        "10 min",
    ]


def test_only_a_name_is_taken_for_a_tenant() -> None:
    assert named_tenant("hz-retail") == "hz-retail"
    for wrong in ("", "Acme", "a/b", "a b", "<b>", "acme\n", "x" * 65):
        assert named_tenant(wrong) == ""
