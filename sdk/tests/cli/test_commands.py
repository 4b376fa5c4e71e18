"""apply, audit, doctor."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.cli import documents
from qiantang.kernel import errors

from .conftest import PLACE, Center, Run

DOCUMENT = """\
kind: config.namespace
name: application
body:
  format: properties
  items:
    port: {value: "8080"}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "resources.yaml"
    made.write_text(f"{DOCUMENT}---\n{DOCUMENT.replace('name: application', 'name: other')}scope: {PLACE}\n")
    return made


def test_apply_makes_drafts_and_shows_what_they_change(signed_in: Run, center: Center, file: Path) -> None:
    result = signed_in("apply", "-f", str(file))
    assert sorted(center.resources) == ["application", "other"]
    assert center.revision == 0
    assert result.stdout.count("add") == 2
    assert "+ namespace other" in result.stderr
    assert "qiantang config publish" in result.stderr


def test_apply_twice_changes_nothing(signed_in: Run, center: Center, file: Path) -> None:
    signed_in("apply", "-f", str(file), "--publish", "-m", "first")
    assert center.revision == 1
    again = signed_in("apply", "-f", str(file), "--publish")
    assert again.stdout.count("keep") == 2
    assert "nothing to publish" in again.stderr
    assert center.revision == 1


def test_a_dry_run_writes_nothing(signed_in: Run, center: Center, file: Path) -> None:
    center.put("application", {"port": "1"})
    result = signed_in("apply", "-f", str(file), "--dry-run")
    assert "~ items.port.value: 1 → 8080" in result.stderr
    assert {method for method, _, _ in center.calls} == {"GET"}
    assert list(center.resources) == ["application"]


def test_secrets_in_files_show_as_words(signed_in: Run, center: Center, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(DOCUMENT.replace('"8080"', "{$secret: {value: hunter2}}"))
    center.put("application", {"port": "1"})
    center.resources["application"].published["items"]["port"]["value"] = {"$secret": {"value": "old"}}
    result = signed_in("apply", "-f", str(file), "--dry-run")
    assert "~ items.port.value: (secret m3) → (secret as in the file)" in result.stderr
    signed_in("apply", "-f", str(file))
    assert center.resources["application"].draft["items"]["port"] == {"value": {"$secret": {"value": "hunter2"}}}
    center.resources["application"].published = center.resources["application"].draft
    center.resources["application"].drafted = False
    assert signed_in("apply", "-f", str(file)).stdout.count("keep") == 1
    assert "hunter2" not in result.output


def test_apply_publishes_only_what_the_files_name(signed_in: Run, center: Center, file: Path) -> None:
    signed_in("config", "set", "third", "a=1")
    signed_in("apply", "-f", str(file), "--publish")
    assert center.resources["third"].drafted


def test_apply_takes_folders_and_stdin(signed_in: Run, center: Center, file: Path) -> None:
    (file.parent / "more").mkdir()
    (file.parent / "more" / "b.yml").write_text(DOCUMENT.replace("application", "third"))
    (file.parent / "readme.txt").write_text("not: [this")
    names = signed_in("apply", "-f", str(file.parent), "--dry-run", "-o", "name").stdout.split()
    assert names == ["config.namespace/third", "config.namespace/application", "config.namespace/other"]
    assert signed_in("apply", "-f", "-", "--dry-run", stdin=DOCUMENT, code=0).stdout.count("application") == 1


def test_apply_names_each_problem_with_line_and_column(signed_in: Run, center: Center, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: config.namespace\nname: [a\n")
    (tmp_path / "b.yaml").write_text(f"{DOCUMENT}---\nkind: config.namespace\nnam: x\n")
    result = signed_in("apply", "-f", str(tmp_path), code=1)
    assert f"{tmp_path / 'a.yaml'} (line 3, column 1)" in result.stderr
    assert f"{tmp_path / 'b.yaml'} (line 8, column 1)" in result.stderr
    assert center.calls == []
    assert "cannot be read" in signed_in("apply", "-f", str(tmp_path / "none.yaml"), code=3).stderr


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"kind: config.namespace\nname: x\nbody:\n{''.join('  ' + line + chr(10) for line in BOMB.splitlines())}",
            "unfolds",
        ),
        (f"kind: config.namespace\nname: x\nbody: {'[' * 5000}{']' * 5000}\n", "nested too deep"),
        ("kind: config.namespace\nname: x\nname: y\nbody: 1\n", "stands twice"),
        ("kind: nonsense\nname: x\nbody: 1\n", "not a resource"),
        ("kind: config.namespace\nname: x\nbody: !!python/object/apply:os.system [ls]\n", "could not determine"),
        ("- a list\n", "not a resource"),
    ],
)
def test_hostile_and_wrong_documents_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(errors.InvalidRequestError) as caught:
        documents.read(str(tmp_path))
    assert message in str(caught.value)


def test_a_kind_that_the_server_has_not_is_refused_before_anything_is_written(
    signed_in: Run, center: Center, file: Path
) -> None:
    file.write_text(file.read_text() + "\n---\nkind: config.nothing\nname: n\nbody: {}\n")
    result = signed_in("apply", "-f", str(file), code=1)
    assert "no resources of the kind 'config.nothing'; it has: config.namespace" in result.stderr
    assert not any(method == "PUT" for method, _, _ in center.calls)


def test_audit_chains_are_verified(signed_in: Run, center: Center) -> None:
    assert "1-9" in signed_in("audit", "verify").stdout
    assert center.calls[-1][1] == "/api/v1/audit/tenants/acme/verify"
    center.chains["acme"] = {"intact": False, "broken_at": 4, "reason": "record 4 was altered"}
    result = signed_in("audit", "verify", "--all", code=1)
    assert "record 4 was altered" in result.stdout
    assert "error: broken: acme" in result.stderr
    assert "platform" in signed_in("audit", "verify", "--platform").stdout


def test_audit_records_are_listed_over_pages(signed_in: Run, center: Center) -> None:
    base = {"chain": "acme", "actor_kind": "user", "actor_id": "1", "actor_name": "ann", "outcome": "allow"}
    center.records = [
        base | {"seq": seq, "at": 1, "action": "config.namespace:publish", "resource": "x"} for seq in range(700, 0, -1)
    ]
    found = signed_in.json("audit", "list", "--limit", "600", "--outcome", "allow", "--since", "1h")
    assert [one["seq"] for one in found] == list(range(700, 100, -1))
    assert "outcome=allow" in center.calls[-1][1]


def test_doctor_finds_all_well(signed_in: Run, center: Center) -> None:
    found = {one["check"]: one for one in signed_in.json("doctor")}
    assert {one["state"] for one in found.values()} == {"ok"}
    assert found["token"]["detail"] == "valid for ann (admin)"
    assert "ready" in found[f"server {center.address}"]["detail"]
    assert found["extra cli"]["detail"].startswith("installed")


def test_doctor_says_what_is_wrong_and_what_to_do(signed_in: Run, center: Center) -> None:
    center.ready = {"database": "does not answer", "process": "ok"}
    result = signed_in("doctor", code=1)
    assert "not ready: database: does not answer" in result.stdout
    center.ready = {"database": "ok"}
    center.tokens.clear()
    result = signed_in("doctor", code=1)
    assert "sign in again: qiantang login" in result.stdout
    assert "error: wrong: token" in result.stderr
    dead = signed_in("--server", "http://127.0.0.1:9", "doctor", code=1)
    assert "http://127.0.0.1:9 does not answer" in dead.stdout


def test_doctor_works_before_any_login(run: Run) -> None:
    assert "no server is known yet" in run("doctor").stdout
