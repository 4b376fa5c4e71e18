"""tenant, environment, center, application: one mechanism, so each way of naming and each verb once."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "target", "body"),
    [
        (("tenant", "create", "beta"), "tenants", {"name": "beta"}),
        (("tenant", "create", "-t", "beta", "--title", "Beta"), "tenants", {"name": "beta", "title": "Beta"}),
        (("environment", "create", "dev"), "tenants/acme/environments", {"name": "dev"}),
        (
            ("environment", "create", "beta/dev", "--protected"),
            "tenants/beta/environments",
            {"name": "dev", "protected": True},
        ),
        (("center", "create", "trade", "-t", "beta"), "tenants/beta/centers", {"name": "trade"}),
        (("application", "create", "order"), "tenants/acme/centers/main/applications", {"name": "order"}),
        (("application", "create", "trade/order"), "tenants/acme/centers/trade/applications", {"name": "order"}),
        (("application", "create", "b/trade/order"), "tenants/b/centers/trade/applications", {"name": "order"}),
        (
            ("application", "create", "-t", "b", "-c", "trade", "-a", "order", "--owner", "u1"),
            "tenants/b/centers/trade/applications",
            {"name": "order", "owner": "u1"},
        ),
        (
            ("application", "create", "order", "-a", "order", "-t", "b"),
            "tenants/b/centers/main/applications",
            {"name": "order"},
        ),
    ],
)
def test_a_thing_is_named_by_a_path_by_options_and_by_the_context(
    signed_in: Any, estate: Any, posted: Any, words: tuple[str, ...], target: str, body: dict[str, Any]
) -> None:
    result = signed_in(*words, "-o", "name")
    ((sent, data),) = posted("POST")
    assert sent == target
    assert {name: value for name, value in data.items() if value} == body
    assert result.stdout.strip().endswith(body["name"])
    assert f"created {words[0]}" in result.stderr


def test_what_a_command_is_about_never_comes_from_the_context(signed_in: Any, estate: Any, posted: Any) -> None:
    signed_in.environment["QIANTANG_CLI_APPLICATION"] = "orders"
    for words in (("tenant", "show"), ("application", "create"), ("application", "delete", "-y"), ("center", "create")):
        assert f"which {words[0]}? write " in signed_in(*words, code=2).stderr
    assert posted("POST") == posted("DELETE") == []


def test_what_is_written_goes_before_the_environment_but_not_against_an_option(
    signed_in: Any, estate: Any, posted: Any
) -> None:
    signed_in.environment["QIANTANG_CLI_TENANT"] = "other"
    signed_in("center", "create", "beta/trade")
    assert posted("POST")[0][0] == "tenants/beta/centers"
    signed_in("center", "create", "trade2")
    assert posted("POST")[1][0] == "tenants/other/centers"
    refused = signed_in("center", "create", "beta/trade", "-t", "gamma", code=2)
    assert "'beta/trade' and --tenant gamma do not go together" in refused.stderr
    assert "more than tenant/center" in signed_in("center", "create", "a/b/c", code=2).stderr
    assert "is not a name" in signed_in("center", "create", "../trade", code=1).stderr
    assert "is not a name" in signed_in("center", "create", "beta/Trade", code=1).stderr
    assert "is not a name" in signed_in("center", "create", "beta/", code=1).stderr
    assert len(posted("POST")) == 2


def test_lists_show_names_that_the_other_verbs_take(signed_in: Any, estate: Any) -> None:
    estate.put("tenants/acme", title="Acme Ltd")
    estate.put("tenants/acme/environments/dev")
    estate.put("tenants/acme/environments/prod", protected=True)
    assert signed_in("tenant", "list", "-o", "name").stdout == "acme\n"
    assert signed_in("environment", "list", "-o", "name").stdout == "acme/dev\nacme/prod\n"
    table = signed_in("environment", "list").stdout.splitlines()
    assert table[0].split() == ["TENANT", "NAME", "TITLE", "PROTECTED", "CREATED"]
    assert "yes" in table[2]
    assert signed_in.json("environment", "list")[1]["protected"] is True
    assert "no environments" in signed_in("environment", "list", "-t", "beta").stderr
    assert signed_in.json("tenant", "show", "acme")["title"] == "Acme Ltd"
    assert "no tenant 'none'" in signed_in("tenant", "show", "none", code=3).stderr


def test_applications_are_listed_of_one_center_or_of_every_one(signed_in: Any, estate: Any, posted: Any) -> None:
    for center, application in (("main", "orders"), ("trade", "stock")):
        estate.put(f"tenants/acme/centers/{center}")
        estate.put(f"tenants/acme/centers/{center}/applications/{application}")
    listing = ("application", "list", "-o", "name")
    assert signed_in(*listing).stdout == "acme/main/orders\n"
    assert signed_in(*listing, "-c", "trade").stdout == "acme/trade/stock\n"
    assert signed_in(*listing, "--all").stdout == "acme/main/orders\nacme/trade/stock\n"
    signed_in("context", "set", "-c", "")
    assert signed_in(*listing).stdout == "acme/main/orders\nacme/trade/stock\n"
    signed_in(*listing, "--sort", "-created_at")
    assert posted("GET")[-1][0] == "tenants/acme/applications?limit=500&sort=-created_at"
    assert signed_in("application", "show", "main/orders", "-o", "name").stdout == "acme/main/orders\n"


def test_an_update_sends_what_is_given_alone(signed_in: Any, estate: Any, posted: Any) -> None:
    estate.put("tenants/acme/environments/prod", title="Production")
    signed_in("environment", "update", "prod", "--protected")
    signed_in("environment", "update", "prod", "--unprotected", "--title", "")
    assert [{key: value for key, value in data.items() if value is not None} for _, data in posted("PATCH")] == [
        {"protected": True},
        {"protected": False, "title": ""},
    ]
    assert "change what?" in signed_in("environment", "update", "prod", code=2).stderr


def test_a_name_that_is_taken_is_a_conflict(signed_in: Any, estate: Any) -> None:
    estate.put("tenants/acme")
    assert "exists already" in signed_in("tenant", "create", "acme", code=5).stderr


DESTRUCTIVE = [
    (("environment", "delete", "dev"), "tenants/acme/environments/dev", "delete environment acme/dev?"),
    (("center", "delete", "main"), "tenants/acme/centers/main", "delete center acme/main?"),
    (
        ("application", "delete", "orders"),
        "tenants/acme/centers/main/applications/orders",
        "delete application acme/main/orders?",
    ),
    (("tenant", "update", "acme", "--disabled"), "tenants/acme", "nobody of it gets in"),
    (("user", "delete", "ann"), "tenants/acme/users/u1", "delete user ann of tenant acme"),
    (("role", "delete", "lead"), "tenants/acme/roles/lead", "delete role lead of tenant acme?"),
    (("grant", "remove", "g1"), "grants/g1", "take grant g1 back?"),
    (
        ("credential", "revoke", "c1"),
        "tenants/acme/centers/main/applications/orders/environments/prod/credentials/c1",
        "revoke credential c1 of acme/prod/main/orders?",
    ),
    (("token", "revoke", "k1"), "tokens/k1", "end token k1?"),
    (("session", "revoke", "s9"), "sessions/s9", "end session s9?"),
]


@pytest.mark.parametrize(("words", "path", "question"), DESTRUCTIVE, ids=lambda value: str(value)[:30])
def test_what_destroys_asks_a_person_and_takes_yes_from_a_script(
    signed_in: Any, estate: Any, posted: Any, words: tuple[str, ...], path: str, question: str
) -> None:
    estate.put(path, **({"name": "ann"} if "users" in path else {}))
    refused = signed_in(*words, code=2)
    assert question in refused.stderr
    assert "give --yes" in refused.stderr
    assert posted("DELETE") == posted("PATCH") == []
    signed_in(*words, "--yes")
    assert len(posted("DELETE") + posted("PATCH")) == 1
    if posted("DELETE"):
        assert tuple(path.split("/")) not in estate.held


@pytest.mark.usefixtures("at_terminal")
def test_a_person_is_asked_and_may_say_no(signed_in: Any, estate: Any, posted: Any) -> None:
    estate.put("tenants/acme/environments/dev")
    words = ("environment", "delete", "dev")
    signed_in(*words, stdin="n\n", code=1)
    assert posted("DELETE") == []
    assert "give --yes" in signed_in("--no-input", *words, code=2).stderr
    signed_in(*words, stdin="y\n")
    assert "no environment 'dev'" in signed_in(*words, stdin="y\n", code=3).stderr
