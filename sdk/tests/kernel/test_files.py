"""Files: whole or as before, for this user alone, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.kernel import files


def test_a_file_is_replaced_as_a_whole_for_this_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    for content in (b"one", b"two" * 1000):
        files.replace(file, files.beside(file), content)
        assert file.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_what_cannot_be_written_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_bytes(b"before")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        files.replace(folder, files.beside(folder), b"after")
    with pytest.raises(FileNotFoundError):
        files.replace(file, tmp_path / "nowhere" / "draft", b"after")
    assert file.read_bytes() == b"before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "kept"]
