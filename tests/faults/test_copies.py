"""The last good copy: refused with a reason when it is not whole or not ours; a full disk hurts nobody who runs."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qiantang.app.core import NothingToStartFromError
from tests.faults.processes import Instance
from tests.servers import ports
from tests.servers.platform import Platform
from tests.servers.process import HOST
from tests.servers.product import Application, Platforms, eventually, opened_platforms

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with opened_platforms() as platforms:
        yield platforms()


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody listens."""
    return f"http://{HOST}:{ports.take()}"


def copies(folder: Path) -> list[Path]:
    """List the copies in a folder, newest first."""
    return sorted(folder.rglob("*.copy"), reverse=True)


def leave_copies(application: Application, folder: Path, last: int = 2) -> list[Path]:
    """Leave copies of the numbers up to `last` on disk, and nothing that leads to the platform."""
    application.publish(1)
    client = application.client(folder=folder, keep_copy=True)
    for number in range(1, last + 1):
        if number > 1:
            application.publish(number)
        client.wait(number)
        eventually(lambda number=number: len(copies(folder)) >= number)
    application.close()
    for file in folder.rglob("servers.json"):
        file.unlink()
    return copies(folder)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(bytes(content))


def overwrite(file: Path) -> None:
    file.write_bytes(secrets.token_bytes(4096))


DAMAGES: list[Callable[[Path], None]] = [truncate, empty, alter, overwrite]
REASONS = {truncate: "altered", empty: "cut short", alter: "altered", overwrite: "no copy"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_copy_is_refused_with_a_reason_and_the_one_before_is_used(
    platform: Platform,
    applications: Callable[..., Any],
    nowhere: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    application: Application = applications(platform)
    newest, *_older = leave_copies(application, tmp_path)
    damage(newest)
    client = application.client(nowhere, folder=tmp_path, keep_copy=True, start_deadline=0.5)
    assert client.number == 1
    assert client.status.source == "disk"
    refused = [record for record in caplog.records if record.message == "a last good copy is not used"]
    assert [getattr(record, "file", "") for record in refused] == [str(newest)]
    assert REASONS[damage] in getattr(refused[0], "reason", "")


@pytest.mark.parametrize("damage", DAMAGES)
def test_only_damaged_copies_and_no_server_is_a_clear_error(
    platform: Platform,
    applications: Callable[..., Any],
    nowhere: str,
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    application: Application = applications(platform)
    for file in leave_copies(application, tmp_path):
        damage(file)
    with pytest.raises(NothingToStartFromError) as raised:
        application.client(nowhere, folder=tmp_path, keep_copy=True, start_deadline=0.5)
    assert application.scope in str(raised.value)
    assert nowhere in str(raised.value)
    assert "no copy on disk that could be used" in str(raised.value)


def test_a_copy_of_another_application_is_refused(
    platform: Platform, applications: Callable[..., Any], nowhere: str, tmp_path: Path
) -> None:
    application, other = applications(platform), applications(platform)
    theirs = leave_copies(other, tmp_path / "theirs")[0]
    mine = leave_copies(application, tmp_path / "mine", last=1)[0]
    shutil.copyfile(theirs, mine)  # under a name that is looked at
    with pytest.raises(NothingToStartFromError):
        application.client(nowhere, folder=tmp_path / "mine", keep_copy=True, start_deadline=0.5)


def test_with_a_server_a_damaged_copy_does_not_matter(
    platform: Platform, applications: Callable[..., Any], nowhere: str, tmp_path: Path
) -> None:
    application: Application = applications(platform)
    for file in leave_copies(application, tmp_path):
        alter(file)
    client = application.client(folder=tmp_path, keep_copy=True)
    assert client.number == 2
    assert client.status.source == "center"
    eventually(lambda: len(copies(tmp_path)) > 2, "a good copy is kept again")
    application.close()
    for file in tmp_path.rglob("servers.json"):
        file.unlink()
    assert application.client(nowhere, folder=tmp_path, keep_copy=True, start_deadline=0.5).number == 2


def test_a_copy_serves_while_the_platform_is_away_and_is_left_for_the_newest(
    platforms: Platforms, applications: Callable[..., Any], tmp_path: Path
) -> None:
    own = platforms()
    application: Application = applications(own)
    leave_copies(application, tmp_path)
    application.publish(3)
    own.stop()
    client = application.client(folder=tmp_path, keep_copy=True, start_deadline=0.5)
    assert client.number == 2
    status = client.status
    assert status.source == "disk"
    assert status.stale_since is not None
    assert status.problem
    own.start()
    client.wait(3)
    client.wait_well()
    assert client.status.source == "center"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system needs root and its permission")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free; give the file to remove."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as target, contextlib.suppress(OSError):
        while True:
            target.write(b"\1" * 65536)
    with file.open("ab", buffering=0) as target, contextlib.suppress(OSError):
        while True:
            target.write(b"\1")
    return file


def test_a_full_disk_does_not_hurt_a_running_client(
    platform: Platform, applications: Callable[..., Any], small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    application: Application = applications(platform)
    application.publish(1)
    client = application.client(folder=small_disk, keep_copy=True)
    eventually(lambda: len(copies(small_disk)) == 1)
    filler = fill(small_disk)
    with caplog.at_level(logging.WARNING):
        for number in range(2, 5):
            application.publish(number, text=secrets.token_hex(16384))
            client.wait(number)
        eventually(lambda: "cannot keep the last good copy" in caplog.text)
    client.wait_well()
    assert caplog.text.count("cannot keep the last good copy") == 1, "said once"
    filler.unlink()
    application.publish(5)
    client.wait(5)
    eventually(lambda: len(copies(small_disk)) == 2)


def test_a_limit_on_files_does_not_hurt_a_running_client(
    platform: Platform, applications: Callable[..., Any], tmp_path: Path
) -> None:
    application: Application = applications(platform)
    application.publish(1)
    options = application.options(folder=str(tmp_path), keep_copy=True, instance="limited", file_limit=16384)
    with Instance(options) as instance:
        instance.wait(1)
        eventually(lambda: len(copies(tmp_path)) == 1)
        for number in range(2, 5):
            application.publish(number, text=secrets.token_hex(16384))
            instance.wait(number)
        eventually(lambda: instance.said[-1]["well"])
        assert len(copies(tmp_path)) == 1
        assert not list(tmp_path.rglob(".*.writing")), "nothing half written is left"


def test_a_full_disk_under_the_platform_refuses_writes_and_loses_nothing(
    platforms: Platforms, applications: Callable[..., Any], small_disk: Path, tmp_path: Path
) -> None:
    own = platforms.new()
    own.data = small_disk / "data"
    own.start()
    application: Application = applications(own)
    leave_copies(application, tmp_path / "copies", last=1)
    client = application.client()
    client.wait(1)
    filler = fill(small_disk)
    body = {"body": {"format": "text", "document": os.urandom(60_000).hex()}}
    path = f"config/{application.scope}/namespaces/large"
    answers = [application.api.answer("PUT", path, body, **{"If-Match": "*"}) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused, "the disk is full"
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(503, "unavailable")}
    assert "full" in refused[0].json()["detail"]
    assert application.position() == (1, 1), "what is there is still read"
    late = application.client(folder=tmp_path / "copies", keep_copy=True, start_deadline=3.0)
    assert late.number == 1, "instances start from their copy, since no proof of theirs can be written down"
    filler.unlink()
    eventually(lambda: application.api.answer("PUT", path, body, **{"If-Match": "*"}).status_code == 200)
    application.publish(2)
    client.wait(2)
    late.wait(2)
    assert application.audit_is_whole()
