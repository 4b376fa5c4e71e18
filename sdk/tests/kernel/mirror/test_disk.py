"""The last good copy: comes back whole, is refused when anything about it is wrong, and never hurts the client."""

import logging
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiantang.kernel import resource, scope
from qiantang.kernel.mirror import disk
from qiantang.kernel.testing import SCOPE, entry

SECRET = "the-very-secret"
OTHER_SCOPE = scope.Scope(tenant="acme", environment="prod", center="main", application="orders")


def view(revision: int) -> list[resource.Snapshot]:
    made = [entry("namespace", "application", {"password": f"plain-{revision}"})]
    return [
        resource.Snapshot(
            bundle=resource.Bundle(scope=SCOPE, capability="config"),
            position=resource.Position(epoch=1, revision=revision),
            digest=resource.snapshot_digest(made),
            entries=made,
        )
    ]


def copy(folder: Path, secret: str = SECRET, application: scope.Scope = SCOPE) -> disk.LastGoodCopy:
    return disk.LastGoodCopy(folder, application, secret)


def newest(folder: Path) -> Path:
    return max(folder.glob("*.copy"))


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    assert copy(tmp_path).load() is None
    assert copy(tmp_path / "deep").save(view(3), now=12.5)
    found = copy(tmp_path / "deep").load()
    assert found is not None
    assert found.saved_at == 12.5
    assert [(one.position, one.digest, bytes(one.entries[0].content)) for one in found.snapshots] == [
        (one.position, one.digest, bytes(one.entries[0].content)) for one in view(3)
    ]


def test_nobody_else_may_read_it_and_nothing_shows_plainly(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    copies = copy(folder)
    copies.save(view(1), now=0)
    file = newest(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    content = file.read_bytes()
    assert b"plain" not in content
    assert b"password" not in content
    assert SECRET not in repr(copies)


def test_three_generations_are_kept_and_equal_content_is_written_once(tmp_path: Path) -> None:
    copies = copy(tmp_path)
    for revision in range(1, 7):
        copies.save(view(revision), now=revision)
        copies.save(view(revision), now=revision + 0.5)
        copy(tmp_path).save(view(revision), now=revision)  # another process of the application
    assert len(list(tmp_path.iterdir())) == 3
    found = copies.load()
    assert found is not None
    assert found.snapshots[0].position.revision == 6


def test_a_clock_set_back_does_not_make_an_old_copy_the_newest(tmp_path: Path) -> None:
    copies = copy(tmp_path)
    for revision, now in ((1, 5000.0), (2, 1.0), (3, 0.5)):
        copies.save(view(revision), now)
    found = copies.load()
    assert found is not None
    assert found.snapshots[0].position.revision == 3


@pytest.mark.parametrize("size", [0, 5, disk.HEAD_BYTES, disk.HEAD_BYTES + 10])
def test_a_cut_copy_is_refused_and_the_older_one_used(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    copies = copy(tmp_path)
    copies.save(view(1), now=1)
    copies.save(view(2), now=2)
    os.truncate(newest(tmp_path), size)
    with caplog.at_level(logging.WARNING):
        found = copies.load()
    assert found is not None
    assert found.snapshots[0].position.revision == 1
    assert [record.message for record in caplog.records] == ["a last good copy is not used"]
    assert copies.save(view(2), now=3)  # the damaged one does not count as written
    again = copies.load()
    assert again is not None
    assert again.snapshots[0].position.revision == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(st.data())
def test_a_copy_altered_in_any_bit_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "one"
    copies = copy(folder)
    if not folder.exists():
        copies.save(view(1), now=1)
    file = newest(folder)
    original = file.read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    bit = data.draw(st.integers(0, 7))
    altered = bytearray(original)
    altered[place] ^= 1 << bit
    try:
        file.write_bytes(altered)
        assert copies.load() is None
    finally:
        file.write_bytes(original)


@pytest.mark.parametrize(("secret", "application"), [("another", SCOPE), (SECRET, OTHER_SCOPE)])
def test_a_foreign_copy_is_refused(tmp_path: Path, secret: str, application: scope.Scope) -> None:
    mine = copy(tmp_path, secret, application)
    mine.save(view(1), now=1)
    stranger = newest(tmp_path)
    copy(tmp_path / "mine").save(view(2), now=1)
    name = newest(tmp_path / "mine").name
    stranger.rename(tmp_path / name)
    assert copy(tmp_path).load() is None


def test_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = copy(tmp_path)
    copies.save(view(1), now=1)
    monkeypatch.setattr(disk, "MAX_CONTENT_BYTES", 20)
    assert copies.load() is None
    monkeypatch.setattr(disk, "MAX_FILE_BYTES", 100)
    assert copies.load() is None


def test_another_format_is_refused_by_its_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    copies = copy(tmp_path)
    copies.save(view(1), now=1)
    file = newest(tmp_path)
    content = bytearray(file.read_bytes())
    content[len(disk.MAGIC)] = 2
    file.write_bytes(content)
    assert copies.load() is None
    assert getattr(caplog.records[0], "reason", "") == "it has format 2; this version reads 1"


def test_a_full_disk_is_said_once_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    copies = copy(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with caplog.at_level(logging.INFO):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert not any(copies.save(view(revision), now=1) for revision in range(1, 20))
        assert list(tmp_path.iterdir()) == []
        assert copies.save(view(1), now=1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_folder_that_cannot_be_made_does_not_hurt(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    copies = copy(tmp_path / "file" / "folder")
    assert not copies.save(view(1), now=1)
    assert copies.load() is None
    copies.forget()


def test_forgetting_removes_all_generations(tmp_path: Path) -> None:
    copies = copy(tmp_path)
    for revision in range(3):
        copies.save(view(revision), now=1)
    copies.forget()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_in_time(tmp_path: Path) -> None:
    left, fresh = tmp_path / ".x.copy.writing", tmp_path / ".y.copy.writing"
    left.write_text("half")
    fresh.write_text("half")
    os.utime(left, (0, 0))
    copy(tmp_path).save(view(1), now=1)
    assert not left.exists()
    assert fresh.exists()


def test_a_copy_damaged_without_anybody_looking_is_written_anew(tmp_path: Path) -> None:
    copy(tmp_path).save(view(1), now=0)
    newest(tmp_path).write_bytes(b"damaged")
    assert copy(tmp_path).save(view(1), now=0), "a start from the control plane saves what it got, unread before"
    found = copy(tmp_path).load()
    assert found is not None
    assert found.snapshots[0].position.revision == 1
