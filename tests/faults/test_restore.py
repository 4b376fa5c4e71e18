"""The database is set back to an older copy: clients that saw later revisions take what is there, and nobody is stuck."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Estate
from tests.servers.platform import Api, Platform
from tests.servers.product import Application, Platforms, eventually


def require_taken_over(application: Application, number: int, api: Api | None = None) -> None:
    """Pass where everybody takes the restored number, the epoch rose once, and publishing and following go on."""
    for client in application.clients:
        client.wait(number)
    eventually(lambda: application.position(api)[0] == 2)
    eventually(lambda: {client.position for client in application.clients} == {application.position(api)})
    actions = [one["action"] for one in application.releases(api)]
    assert actions.count("restore") == 1, actions
    for more in (number + 100, number + 101):
        application.publish(more, api)
        for client in application.clients:
            client.wait(more)
    assert application.position(api)[0] == 2, "the epoch rose once"
    for client in application.clients:
        client.wait_at(application.position(api))
    revisions = [one["revision"] for one in application.releases(api)]
    assert revisions == list(range(1, len(revisions) + 1))
    assert application.audit_is_whole(api)


def copy_data(source: Path, target: Path) -> None:
    """Make one folder the copy of another."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


@pytest.mark.process
def test_sqlite_set_back_while_stopped(platforms: Platforms, applications: Callable[..., Any], tmp_path: Path) -> None:
    platform: Platform = platforms()
    application: Application = applications(platform)
    untouched: Application = applications(platform)
    application.publish(1)
    untouched.publish(5)
    platform.stop()
    copy_data(platform.data, tmp_path / "copy")
    platform.start()
    for one in (application, application, application, untouched):
        one.client().wait(1 if one is application else 5)
    for number in range(2, 8):
        application.publish(number)
    for client in application.clients:
        client.wait(7)
    platform.stop()
    copy_data(tmp_path / "copy", platform.data)
    platform.start()
    require_taken_over(application, 1)
    untouched.publish(6)
    untouched.clients[0].wait(6)
    untouched.clients[0].wait_at((1, 2))  # what was not set back keeps its epoch


@pytest.mark.process
def test_sqlite_set_back_to_before_the_first_release(
    platforms: Platforms, applications: Callable[..., Any], tmp_path: Path
) -> None:
    platform: Platform = platforms()
    application: Application = applications(platform)
    platform.stop()
    copy_data(platform.data, tmp_path / "copy")
    platform.start()
    application.publish(1)
    client = application.client()
    client.wait(1)
    platform.stop()
    copy_data(tmp_path / "copy", platform.data)
    platform.start()
    client.wait(-1)
    application.publish(2)
    client.wait(2)
    client.wait_at(application.position())
    assert client.position[0] == 2


@pytest.mark.process
def test_a_client_that_was_away_meanwhile_takes_it_over_too(
    platforms: Platforms, applications: Callable[..., Any], tmp_path: Path
) -> None:
    platform: Platform = platforms()
    application: Application = applications(platform)
    application.publish(1)
    platform.stop()
    copy_data(platform.data, tmp_path / "copy")
    platform.start()
    application.publish(2)
    kept = {"folder": tmp_path / "last-good", "keep_copy": True}
    application.client(**kept).wait(2)
    eventually(lambda: list((tmp_path / "last-good").rglob("*.copy")))
    application.close()
    platform.stop()
    copy_data(tmp_path / "copy", platform.data)
    platform.start()
    # the database grows past what the client saw, with other content
    application.publish(3)
    application.publish(4)
    client = application.client(**kept)
    client.wait(4)
    application.publish(5)
    client.wait(5)
    client.wait_at(application.position())


def set_back(estate: Estate, copy: str) -> None:
    """Put a copy in the place of the database, under the feet of the servers."""
    database = estate.database_url.rpartition("/")[2]
    estate.database.execute(f'drop database "{database}" with (force)')
    estate.database.execute(f'create database "{database}" template "{copy}"')


def copied(estate: Estate) -> str:
    """Copy the database while nobody writes; give the copy's name."""
    database = estate.database_url.rpartition("/")[2]
    copy = f"{database}_copy"
    estate.first.pause()
    estate.second.pause()
    try:
        estate.database.execute(f'drop database if exists "{copy}"')
        estate.database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            f" where datname = '{database}' and pid <> pg_backend_pid()"
        )
        estate.database.execute(f'create database "{copy}" template "{database}"')
    finally:
        estate.first.resume()
        estate.second.resume()
    return copy


@pytest.mark.process
@pytest.mark.redis
@pytest.mark.zookeeper
@pytest.mark.postgresql
@pytest.mark.parametrize("servers", ["stopped", "running"])
def test_postgresql_set_back_behind_redis_and_zookeeper(estate: Estate, servers: str) -> None:
    application = estate.application()
    copy = copied(estate)
    eventually(lambda: application.publish(2))
    for number in range(3, 7):
        application.publish(number)
    for client in application.clients:
        client.wait(6)
    if servers == "stopped":
        estate.first.stop()
        estate.second.stop()
    set_back(estate, copy)
    if servers == "stopped":
        estate.first.start()
        estate.second.start()
    require_taken_over(application, 1, estate.second.administrator())
    late = application.client(estate.first)
    late.wait(102)
    late.wait_at(application.position())
    application.close()
