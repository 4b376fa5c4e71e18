"""Copies on disk: whole or not there, and never used when damaged or of another."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from qiantang.kernel import errors
from qiantang.registry.client import copies as module
from qiantang.registry.client.copies import Copies
from qiantang.registry.testing import node

NODES = (node("a", weight=7, tags={"lane": "blue"}), node("b"))


def file_of(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_what_was_kept_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    kept = Copies(folder, "acme", "order")
    assert kept.load() == ()
    assert kept.save((node("old"),))
    assert kept.save(NODES)
    assert Copies(folder, "acme", "order").load() == NODES
    assert Copies(folder, "acme", "billing").load() == Copies(folder, "evil", "order").load() == ()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file_of(folder).stat().st_mode) == 0o600


def test_one_that_was_changed_in_any_place_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Copies(tmp_path, "acme", "order")
    kept.save(NODES)
    file = file_of(tmp_path)
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert kept.load() == ()
        file.write_bytes(whole[:place])
        assert kept.load() == ()
    assert "not used" in caplog.text
    file.write_bytes(whole)
    assert kept.load() == NODES


def test_one_of_another_microservice_is_not_used(tmp_path: Path) -> None:
    Copies(tmp_path, "acme", "billing").save(NODES)
    file_of(tmp_path).rename(tmp_path / "acme~order.nodes")
    assert Copies(tmp_path, "acme", "order").load() == ()


def test_one_that_is_too_large_is_neither_written_nor_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Copies(tmp_path, "acme", "order")
    kept.save(NODES)
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 200)
    assert kept.load() == ()
    assert not kept.save(NODES)
    assert len(list(tmp_path.iterdir())) == 1, "what was being written is not left behind"


def test_a_disk_that_fails_is_said_once_and_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Copies(tmp_path / "file" / "below", "acme", "order")
    assert not kept.save(NODES)
    assert not kept.save(NODES)
    assert caplog.text.count("cannot keep") == 1


def test_a_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequestError):
        Copies(tmp_path, "acme", "../order")
    with pytest.raises(errors.InvalidRequestError):
        Copies(tmp_path, "../acme", "order")
