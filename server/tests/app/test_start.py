"""What `qiantang up` says: one link to open, in a dozen lines."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qiantang_server.app import start
from qiantang_server.kernel.web import WebSettings

ADDRESS = "http://127.0.0.1:8900"


def running(base_path: str = "") -> Any:
    kernel = SimpleNamespace(
        settings={"web": WebSettings(base_path=base_path)},
        folder=Path("/data"),
        node="node-1",
        database=SimpleNamespace(address="sqlite:////data/x"),
    )
    return SimpleNamespace(address=ADDRESS, kernel=kernel)


@pytest.mark.parametrize(
    ("token", "base", "link"),
    [
        ("tok-en_1", "", f"{ADDRESS}/first?token=tok-en_1"),
        ("a&b", "/qiantang", f"{ADDRESS}/qiantang/first?token=a%26b"),
        (None, "", f"{ADDRESS}/"),
        (None, "/qiantang", f"{ADDRESS}/qiantang/"),
    ],
)
def test_there_is_one_link_to_open(token: str | None, base: str, link: str) -> None:
    assert start.link_to(running(base), token) == link
    assert start._described(running(base), token, link, 1.0)["link"] == link


@pytest.mark.parametrize("token", ["secret", None])
def test_a_person_is_told_in_a_dozen_lines(token: str | None) -> None:
    here = running()
    demo: Any = SimpleNamespace(described="http://127.0.0.1:8901")
    lines = start._told(here, token, start.link_to(here, token), demo, 1.5)
    assert len(lines) <= 12
    assert lines[1] == f"  open      {start.link_to(here, token)}"
    assert any(f"--first {token}" in line for line in lines) == bool(token)


def test_where_there_is_no_browser_the_link_was_printed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda link: bool(asked.append(link)))
    start._open("http://x/")

    def none(_link: str) -> bool:
        raise webbrowser.Error("no browser")

    monkeypatch.setattr(webbrowser, "open", none)
    start._open("http://y/")
    assert asked == ["http://x/"]
