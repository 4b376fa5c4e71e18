"""Folders that are made have their names on disk, from the first that was there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.client.spool import disk


def test_each_new_folder_is_noted_in_the_one_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    sync = disk.sync_folder
    monkeypatch.setattr(disk, "sync_folder", lambda folder: (sync(folder), synced.append(folder)))
    disk.make_folder(tmp_path / "a/b/c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a/b"]
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o700
    disk.make_folder(tmp_path / "a/b/c")
    assert len(synced) == 3


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        disk.make_folder(tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        disk.make_folder(tmp_path / "file/below")
