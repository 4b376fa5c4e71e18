"""What the platform says of itself, and to whom."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qiantang.kernel import settings
from qiantang_server.app import platform
from server.tests.app.plane import ADDRESS, opened

PATHS = ("/api/v1/platform/settings", "/api/v1/platform/nodes")


async def test_settings_are_those_that_the_command_prints_and_secrets_are_masked(tmp_path: Path) -> None:
    environment = {"QIANTANG_CACHE_REDIS": "", "QIANTANG_WATCH_POLL": "9s", "QIANTANG_SEALING_KEYS": ""}
    async with opened(tmp_path, {"QIANTANG_WATCH_POLL": environment["QIANTANG_WATCH_POLL"]}) as plane:
        chief = await plane.person("chief", "platform-admin", "*")
        answer = await plane.client.get(PATHS[0], headers=chief)
        assert answer.status_code == 200, answer.text
        listed = {f"{one['section']}.{one['key']}": one for one in answer.json()}
        own = plane.running.kernel.settings
        assert {name.partition(".")[0] for name in listed} == set(own)
    poll = listed["watch.poll"]
    assert (poll["value"], poll["source"], poll["secret"]) == ("9s", "environment QIANTANG_WATCH_POLL", False)
    assert listed["server.folder"]["source"] == "flag --folder"
    assert all(one["description"] and one["type"] for one in listed.values())
    assert {name for name, one in listed.items() if one["secret"]} >= {"sealing.keys", "cache.redis"}


def test_no_secret_is_shown_however_it_came(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("c2VjcmV0LWluLWEtZmlsZQ")
    loaded = settings.load(
        platform_sections(),
        environment={
            "QIANTANG_CACHE_REDIS": "redis://:hunter2@127.0.0.1:6379/0",
            "QIANTANG_SEALING_KEYS_FILE": str(file),
            "QIANTANG_STORAGE_URL": "postgresql://app:hunter3@127.0.0.1/q",
        },
    )
    nothing: object = None
    own = platform.Platform(loaded=loaded, kernel=nothing, cache=nothing, health=nothing, address="")  # type: ignore[arg-type]
    shown = repr(own.list_settings())
    for secret in ("hunter2", "hunter3", "c2VjcmV0LWluLWEtZmlsZQ"):
        assert secret not in shown


def platform_sections() -> dict[str, type]:
    from qiantang_server.app.sections import sections

    return dict(sections())


async def test_a_server_tells_of_itself_and_of_its_equals(tmp_path: Path) -> None:
    async with opened(tmp_path) as plane:
        viewer = await plane.person("viewer", "viewer", "*")
        await plane.running.kernel.coordination.enlist("other", "http://127.0.0.1:2")
        answer = await plane.client.get(PATHS[1], headers=viewer)
        assert answer.status_code == 200, answer.text
        own, other = answer.json()
    assert (own["address"], own["self"], own["alive"], own["streams"], own["instances"]) == (ADDRESS, True, True, 0, 0)
    assert own["node"] == "127.0.0.1:1"
    assert own["version"]
    assert abs(own["started_at"] - time.time() * 1000) < 60_000
    assert own["condition"]["coordination"]["ready"] is True
    assert own["condition"]["cache"]["ready"] is True
    assert (other["address"], other["self"], other["alive"]) == ("http://127.0.0.1:2", False, True)
    assert other["streams"] is other["version"] is other["condition"] is None


async def test_while_the_coordination_does_not_answer_the_server_tells_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "LIST_WITHIN", 0.05)
    async with opened(tmp_path) as plane:
        chief = await plane.person("chief", "platform-admin", "*")
        roster = plane.running.kernel.coordination._roster  # type: ignore[attr-defined]
        roster._addresses = None
        answer = await plane.client.get(PATHS[1], headers=chief)
    assert [one["self"] for one in answer.json()] == [True]


@pytest.mark.parametrize("role", ["tenant-admin", "viewer", "operator", "auditor", "app-owner"])
async def test_what_is_the_platforms_is_not_shown_to_a_tenants_people(tmp_path: Path, role: str) -> None:
    async with opened(tmp_path) as plane:
        await plane.tenant("acme")
        ann = await plane.person("ann", role, "acme", tenant="acme")
        for path in PATHS:
            answer = await plane.client.get(path, headers=ann)
            assert (answer.status_code, answer.json()["code"]) == (403, "access.not_permitted"), answer.text
            assert answer.json()["facts"]["scope"] == "*/*/*/*"
            assert (await plane.client.get(path)).status_code == 401


async def test_who_holds_nothing_on_the_platform_sees_nothing_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as plane:
        nobody = await plane.person("nobody")
        for path in PATHS:
            assert (await plane.client.get(path, headers=nobody)).status_code == 403
        document = (await plane.client.get("/api/v1/openapi/openapi.json")).json()
    node = document["components"]["schemas"]["ServerNode"]["properties"]
    assert "self" in node
    assert "this" not in node
