"""Serving: the page anywhere, files compressed and kept, nothing from outside, and a plain word where nothing was built."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from qiantang_portal import Pages

PAGE = '<!doctype html><head><base href="/" /><meta property="csp-nonce" nonce="__NONCE__" /></head><body></body>'
SCRIPT = b"console.log('a page')" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets/main-AbC123_x.js").write_bytes(SCRIPT)
    (tmp_path / "assets/main-AbC123_x.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "assets/main-AbC123_x.js.br").write_bytes(b"brotli")
    (tmp_path / "mark.svg").write_text("<svg/>")
    (tmp_path.parent / "secret.txt").write_text("not to be served")
    return tmp_path


def get(pages: Pages, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(pages({"type": "http", "method": method, "path": path, "headers": named}, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"]


@pytest.mark.parametrize("path", ["/", "/t/acme/prod/config", "/index.html", "/t/a/../../secret.txt"])
def test_the_page_answers_wherever_it_is_asked_for(folder: Path, path: str) -> None:
    status, headers, body = get(Pages(folder), path)
    assert status == 200
    assert headers["cache-control"] == "no-cache"
    assert b"<base href" in body
    assert b"not to be served" not in body


def test_each_answer_has_a_nonce_of_its_own_and_a_strict_policy(folder: Path) -> None:
    pages = Pages(folder)
    policies = set()
    for _ in range(2):
        _status, headers, body = get(pages, "/")
        policy = headers["content-security-policy"]
        policies.add(policy)
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        assert nonce.encode() in body
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
    assert len(policies) == 2


def test_any_base_path(folder: Path) -> None:
    assert b'<base href="/tools/qiantang/" />' in get(Pages(folder, base_path="/tools/qiantang"), "/")[2]
    assert b'<base href="/&quot;&gt;/" />' in get(Pages(folder, base_path='/">'), "/")[2]


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", ""), ("", "")],
)
def test_files_are_compressed_ahead_and_kept_for_ever(folder: Path, accepted: str, encoding: str) -> None:
    status, headers, body = get(Pages(folder), "/assets/main-AbC123_x.js", accept_encoding=accepted)
    assert (status, headers.get("content-encoding", "")) == (200, encoding)
    assert headers["cache-control"].endswith("immutable")
    assert headers["vary"] == "Accept-Encoding"
    assert headers["content-type"].startswith("text/javascript")
    whole = {"br": lambda sent: SCRIPT if sent == b"brotli" else b"", "gzip": gzip.decompress, "": lambda sent: sent}
    assert whole[encoding](body) == SCRIPT


def test_what_has_no_hash_in_its_name_is_asked_for_again(folder: Path) -> None:
    assert get(Pages(folder), "/mark.svg")[1]["cache-control"] == "no-cache"


def test_a_file_of_an_older_build_is_not_there(folder: Path) -> None:
    assert get(Pages(folder), "/assets/main-0ld0ld0ld.js")[0] == 404


def test_head_has_no_body_and_other_methods_are_refused(folder: Path) -> None:
    status, headers, body = get(Pages(folder), "/", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    assert get(Pages(folder), "/", "POST")[0] == 405


def test_a_bare_checkout_says_the_one_command(tmp_path: Path) -> None:
    pages = Pages(tmp_path / "none")
    status, headers, body = get(pages, "/t/acme/prod/config")
    assert not pages.built
    assert status == 503
    assert b"make up" in body
    assert headers["content-type"].startswith("text/html")
