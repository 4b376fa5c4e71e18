"""The config commands against a small control plane."""

from __future__ import annotations

import json
import time

import click
import pytest

from qiantang.cli import publishing, talk
from qiantang.cli.config import body as bodies
from qiantang.cli.config import gray
from qiantang.kernel import errors

from .conftest import PLACE, Center, Run, instance


def test_a_namespace_and_one_value_of_it_are_shown(signed_in: Run, center: Center) -> None:
    center.put("application", {"port": "8080", "name": "钱塘"})
    lines = signed_in("config", "get", "application").stdout.splitlines()
    assert lines[0].split() == ["KEY", "VALUE", "TYPE", "COMMENT"]
    assert signed_in("config", "get", "application", "port").stdout == "8080\n"
    assert signed_in.json("config", "get", "application")["items"]["name"] == {"value": "钱塘"}
    assert "no setting 'prot'" in signed_in("config", "get", "application", "prot", code=3).stderr
    assert f"no namespace 'other' in {PLACE}" in signed_in("config", "get", "other", code=3).stderr


def test_keys_of_a_document_are_looked_up(signed_in: Run, center: Center) -> None:
    center.put("app", format="yaml", document="db:\n  port: 1\n")
    assert signed_in("config", "get", "app").stdout == "db:\n  port: 1\n"
    assert signed_in("config", "get", "app", "db.port").stdout == "1\n"
    assert signed_in.json("config", "get", "app", "db") == {"port": 1}


def test_the_application_is_asked_for_where_it_is_not_said(run: Run, center: Center) -> None:
    run("login", center.address, "--token-stdin", stdin="qt_pat_0123_good\n")
    result = run("config", "list", code=2)
    assert "give --environment --center --application" in result.stderr
    center.put("application", {})
    assert run("config", "list", "-e", "prod", "-c", "main", "-a", "orders", "-o", "name").stdout == "application\n"
    assert (
        "there is no acme/prod/main/other"
        in run("config", "get", "x", "-e", "prod", "-c", "main", "-a", "other", code=3).stderr
    )


def test_set_makes_a_draft_and_publish_releases_it(signed_in: Run, center: Center) -> None:
    result = signed_in("config", "set", "application", "port=8080", "greeting=a=b")
    assert result.stdout == ""
    assert "draft of application saved" in result.stderr
    assert center.resources["application"].draft["items"] == {"port": {"value": "8080"}, "greeting": {"value": "a=b"}}
    assert "not published yet" in signed_in("config", "get", "application", code=3).stderr
    assert signed_in("config", "get", "application", "port", "--draft").stdout == "8080\n"
    assert "+ namespace application" in signed_in("config", "diff").stdout
    published = signed_in("config", "publish", "-m", "first")
    assert "published revision 1" in published.stderr
    assert "+ namespace application" in published.stderr
    assert "first" in published.stdout
    assert signed_in("config", "get", "application", "port").stdout == "8080\n"
    assert signed_in("config", "publish").stderr == "nothing to publish: no drafts\n"


def test_an_edit_keeps_what_it_does_not_name(signed_in: Run, center: Center) -> None:
    center.put("application", {"a": "1", "b": "2"}, public=True, description="kept")
    center.resources["application"].published["items"]["a"] |= {"type": "number", "comment": "why"}
    signed_in("config", "set", "application", "a=3")
    assert center.resources["application"].draft == {
        "format": "properties",
        "items": {"a": {"value": "3", "type": "number", "comment": "why"}, "b": {"value": "2"}},
        "public": True,
        "description": "kept",
    }
    signed_in("config", "unset", "application", "b")
    assert list(center.resources["application"].draft["items"]) == ["a"]
    assert "no setting 'z'" in signed_in("config", "unset", "application", "z", code=3).stderr
    assert "no namespace" in signed_in("config", "unset", "none", "z", code=3).stderr


def test_setting_what_is_there_leaves_no_draft(signed_in: Run, center: Center) -> None:
    center.put("application", {"a": "1"})
    assert "no draft" in signed_in("config", "set", "application", "a=1").stderr


def test_an_edit_is_repeated_on_what_another_wrote_meanwhile(signed_in: Run, center: Center) -> None:
    center.put("application", {"a": "1"})

    def other() -> None:
        found = center.resources["application"]
        found.published["items"]["b"] = {"value": "theirs"}
        found.version += 1

    center.interfere = other
    signed_in("config", "set", "application", "a=2")
    assert center.resources["application"].draft["items"] == {"a": {"value": "2"}, "b": {"value": "theirs"}}


def test_secrets_come_from_stdin_stay_secret_and_travel_as_masks(signed_in: Run, center: Center) -> None:
    result = signed_in("config", "set", "application", "password", "--secret", stdin="hunter2\n")
    assert center.resources["application"].draft["items"]["password"] == {"value": {"$secret": {"value": "hunter2"}}}
    signed_in("config", "publish")
    shown = signed_in("config", "get", "application")
    assert "(secret m7)" in shown.stdout
    signed_in("config", "set", "application", "other=1")
    sent = center.resources["application"].draft["items"]
    assert sent["password"] == {"value": {"$secret": {"mask": "m7"}}}
    signed_in("config", "set", "application", "password=new")
    assert center.resources["application"].draft["items"]["password"] == {"value": {"$secret": {"value": "new"}}}
    assert "hunter2" not in result.output + shown.output
    assert "needs a value" in signed_in("config", "set", "application", "x", code=2).stderr


def test_reveal_shows_secrets(signed_in: Run, center: Center) -> None:
    center.put("application")
    center.resources["application"].published["items"]["p"] = {"value": {"$secret": {"value": "hunter2"}}}
    assert signed_in("config", "reveal", "application", "p").stdout == "hunter2\n"


def test_a_whole_document_is_set_from_a_file(signed_in: Run, center: Center, tmp_path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text("a: 1\n")
    signed_in("config", "set", "app", "--file", str(file))
    assert center.resources["app"].draft == {"format": "yaml", "document": "a: 1\n"}
    assert "write it as a whole with --file" in signed_in("config", "set", "app", "a=2", code=5).stderr
    assert "cannot be read" in signed_in("config", "set", "app", "--file", str(tmp_path / "no.yaml"), code=3).stderr
    assert "give --format" in signed_in("config", "set", "app", "--file", "-", code=2, stdin="x").stderr
    signed_in("config", "set", "app", "--file", "-", "--format", "text", stdin="x")
    assert center.resources["app"].draft == {"format": "text", "document": "x"}
    assert "give KEY=VALUE" in signed_in("config", "set", "app", code=2).stderr


def test_removal_is_drafted_and_drafts_are_discarded(signed_in: Run, center: Center) -> None:
    center.put("application", {"a": "1"})
    signed_in("config", "delete", "application")
    assert center.resources["application"].state == "removed"
    assert "- namespace application" in signed_in("config", "diff").stdout
    signed_in("config", "discard", "application")
    assert center.resources["application"].state == "published"
    assert "no draft of application" in signed_in("config", "discard", "application", code=3).stderr
    assert signed_in("config", "discard", "--all").stderr == "no drafts\n"
    signed_in("config", "discard", code=2)


def test_problems_of_drafts_are_listed_before_a_publish(signed_in: Run, center: Center) -> None:
    signed_in("config", "set", "application", "port=x")
    center.problems = [
        {
            "kind": "namespace",
            "name": "application",
            "message": "must be a number",
            "path": "port",
            "line": 2,
            "column": 1,
        },
        {"kind": "namespace", "name": "other", "message": "not ours"},
    ]
    result = signed_in("config", "publish", "application", code=1)
    assert "application: port (line 2, column 1): must be a number" in result.stderr
    assert "not ours" not in result.stderr
    assert center.revision == 0


def test_who_is_slower_gets_a_conflict(signed_in: Run, center: Center) -> None:
    signed_in("config", "set", "application", "a=1")
    center.interfere = None
    assert "qiantang config diff" in signed_in("config", "publish", "--expect", "7", code=5).stderr
    assert center.revision == 0


def test_a_publish_can_wait_for_a_person_or_a_time(signed_in: Run, center: Center) -> None:
    signed_in("config", "set", "application", "a=1")
    center.protected = True
    assert "qiantang config request approve r1" in signed_in("config", "publish").stderr
    assert signed_in("config", "request", "list", "-o", "name").stdout == "r1\n"
    assert signed_in.json("config", "request", "approve", "r1")["state"] == "published"
    center.protected = False
    assert "scheduled for" in signed_in("config", "publish", "--at", "+10m").stderr
    sent = next(data for _, target, data in reversed(center.calls) if target.endswith("/releases"))
    assert abs(sent["at"] / 1000 - time.time() - 600) < 60
    assert "is no moment" in signed_in("config", "publish", "--at", "soon", code=2).stderr


def test_a_person_is_asked_and_can_say_no(signed_in: Run, center: Center, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in("config", "set", "application", "a=1")
    monkeypatch.setattr(talk, "is_terminal", lambda: True)
    assert f"publish 1 changes to {PLACE}?" in signed_in("config", "publish", stdin="n\n", code=1).stderr
    assert center.revision == 0
    signed_in("config", "publish", "--yes")
    signed_in("--no-input", "config", "rollback", "0")
    assert center.revision == 2


def test_history_show_diff_and_rollback(signed_in: Run, center: Center) -> None:
    for number in range(1, 6):
        center.release("publish", f"m{number}")
    assert [one["revision"] for one in signed_in.json("config", "history", "--limit", "3")] == [5, 4, 3]
    assert signed_in("config", "history", "-o", "name").stdout == "5\n4\n3\n2\n1\n"
    assert "m4" in signed_in("config", "show", "4").stdout
    assert signed_in.json("config", "show", "4")["release"]["message"] == "m4"
    assert signed_in.json("config", "show", "4", "application") == {"format": "text"}
    assert "no revision 9" in signed_in("config", "show", "9", code=3).stderr
    assert "~ items.port.value: 2 → 4" in signed_in("config", "diff", "--revision", "4", "--since", "2").stdout
    signed_in("config", "diff", "--since", "2", code=2)
    result = signed_in("config", "rollback", "3", "-m", "oops")
    assert "published revision 6 with the content of 3" in result.stderr
    assert "~ items.port.value: 5 → 3" in result.stderr
    assert center.releases[-1]["message"] == "oops"


def test_a_gray_release_is_started_changed_and_ended(signed_in: Run, center: Center) -> None:
    assert "no gray release is running" in signed_in("config", "gray", "show", code=3).stderr
    signed_in("config", "set", "application", "a=1")
    assert "for whom?" in signed_in("config", "gray", "start", code=2).stderr
    assert "are no labels" in signed_in("config", "gray", "start", "--labels", "zone", code=2).stderr
    started = signed_in("config", "gray", "start", "--labels", "zone=a,rack=1", "--percent", "10")
    assert "published revision 1 (gray g1)" in started.stderr
    rule = signed_in.json("config", "gray", "show")["rule"]
    assert rule == {"labels": [{"zone": "a", "rack": "1"}], "instances": [], "percent": 10.0, "count": 0}
    assert "rack=1 and zone=a, or 10 %" in signed_in("config", "gray", "show").stdout
    for count in ("3", "4"):
        signed_in("config", "gray", "change", "--count", count)
    center.protected = True
    assert "waits for another person" in signed_in("config", "gray", "promote").stderr
    assert "waits for another person" in signed_in("config", "gray", "change", "--count", "5").stderr
    assert [one["action"] for one in signed_in.json("config", "request", "list")] == ["promote", "gray_change"]
    center.protected = False
    assert "everyone has the changes" in signed_in("config", "gray", "promote").stderr
    center.gray = {"id": "g2", "rule": rule, "revision": 3, "author": "ann", "started_at": 1}
    assert "drafts again" in signed_in("config", "gray", "abort", "-m", "bad").stderr
    assert [one["action"] for one in center.releases] == [
        "gray",
        "gray_change",
        "gray_change",
        "promote",
        "abort",
    ]


def test_instances_say_what_they_hold(signed_in: Run, center: Center) -> None:
    center.instances = [
        instance("one", 3),
        instance("two", 2, current=False, age_ms=400_000),
        instance("three", 3, status="failed", error="boom\nat x"),
    ]
    shown = signed_in("config", "instances").stdout
    assert "1:3" in shown
    assert "7 min ago" in shown
    assert "boom\\nat x" in shown
    assert signed_in("config", "instances", "--behind", "-o", "name").stdout == "two\nthree\n"


def test_publish_waits_until_every_instance_took_it(signed_in: Run, center: Center) -> None:
    signed_in("config", "set", "application", "a=1")
    center.instances = [instance("one", 1), instance("dead", 0, alive=False)]
    assert "1 instance took it" in signed_in("config", "publish", "--wait", "5").stderr
    signed_in("config", "set", "application", "a=2")
    center.instances = [instance("one", 2), instance("two", 1)]
    assert "1 of 2 instances took it" in signed_in("config", "publish", "--wait", "0.01", code=6).stderr
    signed_in("config", "set", "application", "a=3")
    center.instances = [instance("one", 3, status="failed", error="boom")]
    assert "one: boom" in signed_in("config", "publish", "--wait", "5", code=5).stderr


def test_publish_tells_where_nobody_is_connected(
    signed_in: Run, center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(publishing, "LISTED_SECONDS", 0.05)
    signed_in("config", "set", "application", "a=1")
    assert "no instance is connected" in signed_in("config", "publish", "--wait", "5").stderr


def test_a_gray_publish_waits_for_all_and_says_who_holds_it(
    signed_in: Run, center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "POLL_SECONDS", 0.01)
    signed_in("config", "set", "application", "a=1")
    center.instances = [instance("one", 0), instance("two", 0)]
    start = ("config", "gray", "start", "--instance", "one", "--wait")
    assert "0 of 2 instances took it" in signed_in(*start, "0.01", code=6).stderr
    center.instances = [instance("one", 2, gray="g1"), instance("two", 2)]
    signed_in("config", "set", "application", "a=2")
    assert "2 instances took it, 1 with the gray changes" in signed_in(*start, "5").stderr
    assert signed_in.json("config", "gray", "show")["instances"] == ["one"]


def test_watch_tells_of_releases_and_outlives_a_server(signed_in: Run, center: Center, monkeypatch) -> None:
    steps = iter(
        [
            lambda: center.release("publish", "one"),
            lambda: setattr(center, "refuse", errors.UnavailableError("closing")),
            lambda: None,
            lambda: (setattr(center, "refuse", None), center.release("publish", "two"), center.release("publish", "3")),
        ]
    )
    monkeypatch.setattr(time, "sleep", lambda _: next(steps)())
    result = signed_in("config", "watch", "--count", "3", "-o", "json")
    assert [json.loads(line)["message"] for line in result.stdout.splitlines()] == ["one", "two", "3"]
    assert result.stderr.count("closing") == 1


def test_watch_can_give_up(signed_in: Run, center: Center) -> None:
    assert "0 releases in 0 s" in signed_in("config", "watch", "--within", "0", "--every", "0.2", code=6).stderr


def test_effective_values_are_explained(signed_in: Run, center: Center) -> None:
    value = {"namespace": "application", "key": "port", "value": 1, "origin": "main/orders/application at 1:3"}
    view = {"cluster": "default", "values": [value | {"shadowed": [{"value": 0, "origin": "main/shared/base at 1:1"}]}]}
    center.answers[f"/api/v1/config/{PLACE}/effective"] = view | {"missing": ["application: gone"]}
    result = signed_in("config", "explain", "application", "port", "--cluster", "east", "--labels", "a=b")
    assert "0 (main/shared/base at 1:1)" in result.stdout
    assert "inherited namespace is missing: application: gone" in result.stderr
    asked = center.calls[-1][1].partition("?")[2]
    assert set(asked.split("&")) == {"cluster=east", "instance=-", "labels=a%3Db", "namespace=application", "key=port"}


def test_search_finds_over_applications(signed_in: Run, center: Center) -> None:
    hit = {"bundle": f"{PLACE}:config", "namespace": "application", "key": "db.url", "value": "x"}
    center.answers["/api/v1/config/search/acme"] = {"items": [hit]}
    assert signed_in("config", "search", "db url", "-o", "name").stdout == f"{PLACE}:config/application:db.url\n"
    assert "words=db+url" in center.calls[-1][1]


def test_bodies_are_edited_without_touching_their_origin() -> None:
    body = {"format": "properties", "items": {"a": {"value": "1"}}}
    bodies.assign(body, {"a": "2"})
    bodies.remove(body, ["a"])
    assert body == {"format": "properties", "items": {"a": {"value": "1"}}}


@pytest.mark.parametrize("text", ["a=b,c", "=x", "a"])
def test_labels_are_checked(text: str) -> None:
    with pytest.raises(click.UsageError):
        gray.parse_rule(labels=(text,), instances=(), percent=0, count=0)


def test_export_writes_bytes_as_they_are_and_only_where_nothing_is(signed_in: Run, center: Center, tmp_path) -> None:
    center.answers[f"/api/v1/config/{PLACE}/export"] = b"PK\x00\xff"
    file = tmp_path / "orders.zip"
    result = signed_in("config", "export", "--file", str(file))
    assert file.read_bytes() == b"PK\x00\xff"
    assert file.stat().st_mode & 0o077 == 0
    assert result.stdout == ""
    assert "--force" in signed_in("config", "export", "--file", str(file), code=5).stderr
    signed_in("config", "export", "--file", str(file), "--force")
    center.answers[f"/api/v1/config/{PLACE}/export/application"] = b"a: 1\n"
    assert signed_in("config", "export", "application", "--format", "yaml", "--reveal").stdout == "a: 1\n"
    assert center.calls[-1][1].endswith("export/application?format=yaml&reveal=true")


def test_import_says_line_by_line_what_it_did(signed_in: Run, center: Center, tmp_path) -> None:
    lines = [{"namespace": "a", "action": "add"}, {"namespace": "b", "action": "keep", "reason": "the same"}]
    center.answers[f"/api/v1/config/{PLACE}/import"] = {"dry_run": False, "lines": lines}
    file = tmp_path / "orders.zip"
    file.write_bytes(b"PK")
    result = signed_in("config", "import", str(file), "--policy", "merge")
    assert "the same" in result.stdout
    assert "qiantang config publish" in result.stderr
    assert center.calls[-1][1].endswith("import?policy=merge&dry_run=false")
    lines[1] |= {"action": "refuse", "reason": "exists"}
    assert "refused: b" in signed_in("config", "import", str(file), code=5).stderr
    center.answers[f"/api/v1/config/{PLACE}/import/app"] = {"dry_run": True, "lines": lines[:1]}
    (tmp_path / "app.yaml").write_text("{}")
    signed_in("config", "import", str(tmp_path / "app.yaml"), "--dry-run")
    assert center.calls[-1][1].endswith("import/app?format=yaml&policy=fail&dry_run=true")
    assert "give --format" in signed_in("config", "import", str(tmp_path / "x"), code=2).stderr
    assert "cannot be read" in signed_in("config", "import", str(tmp_path / "x.zip"), code=3).stderr
