"""The keyring: its file, its text, and what it refuses."""

from __future__ import annotations

import base64
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang_server.kernel.sealing import keyring
from qiantang_server.kernel.sealing.keyring import Keyring, WrongKeyringError, make

ONE, TWO = b"1" * 32, b"2" * 32


def text(name: str, key: bytes) -> str:
    return f"{name}:{base64.b64encode(key).decode()}"


def test_a_file_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, again = Keyring.of_file(path), Keyring.of_file(path)
    master, wrapped = first.wrap(b"x" * 32, "place")
    assert again.unwrap(master, wrapped, "place") == b"x" * 32
    assert list(tmp_path.iterdir()) == [path], "no draft is left"


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    make(path)
    before = path.read_bytes()
    make(path)
    assert path.read_bytes() == before


def test_servers_that_start_together_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"

    def start(_: int) -> str:
        make(path)
        return Keyring.of_file(path).current

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(start, range(64)))) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.MisconfiguredError, match="No space left"):
        make(tmp_path / "keyring.json")
    assert not (tmp_path / "keyring.json").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keyring.json"
    make(path)
    path.chmod(mode)
    with pytest.raises(errors.MisconfiguredError, match="chmod 600"):
        Keyring.of_file(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"current": "a"}',
        '{"current": "a", "keys": {}}',
        '{"current": "a", "keys": {"a": "c2hvcnQ="}}',
        '{"current": "a", "keys": {"a": "not base64!"}}',
        '{"current": "a", "keys": {"a": 5}}',
        '{"current": "a", "keys": {}, "more": 1}',
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(errors.MisconfiguredError, match=r"keyring\.json"):
        Keyring.of_file(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.MisconfiguredError, match="cannot be read"):
        Keyring.of_file(tmp_path / "keyring.json")


def test_text_gives_keys_of_which_the_first_is_current() -> None:
    old = Keyring.parse(text("old", ONE))
    both = Keyring.parse(f"{text('new', TWO)}, {text('old', ONE)}")
    assert both.current == "new"
    assert both.masters == {"old", "new"}
    master, wrapped = old.wrap(b"x" * 32, "place")
    assert both.unwrap(master, wrapped, "place") == b"x" * 32
    master, wrapped = both.wrap(b"x" * 32, "place")
    with pytest.raises(WrongKeyringError, match="'new'"):
        old.unwrap(master, wrapped, "place")


@pytest.mark.parametrize(
    "given_text",
    [
        "",
        "nocolon",
        "a:",
        "a:!!",
        text("a", b"short"),
        text("A B", ONE),
        f"{text('a', ONE)},{text('a', TWO)}",
        f"{text('a', ONE)},",
        base64.b64encode(ONE).decode() + ":a",
    ],
)
def test_text_that_is_none_is_refused_without_its_keys(given_text: str) -> None:
    with pytest.raises(errors.MisconfiguredError) as caught:
        Keyring.parse(given_text)
    assert base64.b64encode(ONE).decode() not in str(caught.value)


def test_a_key_is_bound_to_its_place_and_its_master() -> None:
    ring, same_name = Keyring.parse(text("k", ONE)), Keyring.parse(text("k", TWO))
    master, wrapped = ring.wrap(b"x" * 32, "place")
    with pytest.raises(WrongKeyringError):
        ring.unwrap(master, wrapped, "elsewhere")
    with pytest.raises(WrongKeyringError, match="not the one that sealed"):
        same_name.unwrap(master, wrapped, "place")
    for altered in ("", "A", "!", wrapped[:-4], wrapped[:-5] + ("A" if wrapped[-5] != "A" else "B") + wrapped[-4:]):
        with pytest.raises(WrongKeyringError):
            ring.unwrap(master, altered, "place")


@given(st.binary(min_size=1, max_size=64), st.text(max_size=50))
def test_what_is_wrapped_is_unwrapped(plain: bytes, place: str) -> None:
    ring = Keyring.parse(text("k", ONE))
    master, wrapped = ring.wrap(plain, place)
    assert ring.unwrap(master, wrapped, place) == plain
    assert ring.wrap(plain, place)[1] != wrapped


def test_no_key_shows(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    make(path)
    key = next(iter(json.loads(path.read_text())["keys"].values()))
    assert key not in repr(Keyring.of_file(path))
    assert path.name == keyring.FILE
