"""Contexts, login and logout."""

from __future__ import annotations

import stat

from qiantang.cli import contexts
from qiantang.kernel import errors

TOKEN = "qt_pat_0123_good"


def test_the_first_start_makes_an_administrator_and_keeps_a_token(run, center) -> None:
    center.first_token = "first"
    result = run(
        "login", center.address, "--first", "first", "--user", "ann", "--password-stdin", stdin="correct horse\n"
    )
    assert "signed in" in result.stderr
    assert "correct horse" not in result.output
    known = contexts.load(run.file)
    assert known.find("").token == "qt_pat_4567_new"
    assert known.find("").user == "ann"
    assert stat.S_IMODE(run.file.stat().st_mode) == 0o600
    assert "qt_pat" not in repr(known)
    assert center.sessions == set()
    paths = [target.rpartition("/")[2] for _, target, _ in center.calls]
    assert paths == ["first-start", "tokens", "logout", "me"]


def test_login_with_a_password_goes_over_a_session(run, center) -> None:
    run("login", center.address, "--user", "ann", "--password-stdin", stdin="correct horse\n")
    assert center.sessions == set()
    wrong = run("login", center.address, "--user", "ann", "--password-stdin", stdin="wrong\n", code=4)
    assert "name and password do not go together" in wrong.stderr


def test_login_without_a_person_says_which_option_is_missing(run, center) -> None:
    assert "give --user" in run("login", center.address, code=2).stderr
    assert "give --password-stdin" in run("login", center.address, "--user", "ann", code=2).stderr
    assert (
        "stdin holds no password"
        in run("login", center.address, "--user", "a", "--password-stdin", stdin="", code=2).stderr
    )
    assert "which server?" in run("login", code=2).stderr


def test_a_password_goes_nowhere_in_the_clear(run) -> None:
    result = run("login", "http://192.0.2.1:1", "--user", "ann", "--password-stdin", stdin="correct horse\n", code=2)
    assert "without TLS" in result.stderr


def test_a_server_that_is_away_is_unavailable(run) -> None:
    result = run("login", "http://127.0.0.1:9", "--user", "a", "--password-stdin", stdin="x\n", code=6)
    assert "http://127.0.0.1:9 does not answer" in result.stderr
    assert not run.file.exists()


def test_logout_revokes_and_forgets(signed_in, center) -> None:
    signed_in("logout")
    assert center.tokens == set()
    assert contexts.load(signed_in.file).find("").token == ""
    assert "sign in: qiantang login" in signed_in("config", "list", code=4).stderr


def test_logout_forgets_even_where_the_server_is_away(signed_in, center) -> None:
    center.refuse = errors.UnavailableError("closing")
    result = signed_in("logout")
    assert "stays valid until it expires" in result.stderr
    assert contexts.load(signed_in.file).find("").token == ""


def test_contexts_are_listed_used_changed_and_removed(signed_in, center) -> None:
    signed_in("context", "set", "other", "--servers", "http://127.0.0.1:1,http://127.0.0.1:2", "-t", "beta")
    listed = signed_in.json("context", "list")
    assert [(one["name"], one["current"], one["signed_in"]) for one in listed] == [
        ("default", True, True),
        ("other", False, False),
    ]
    signed_in("context", "use", "other")
    assert signed_in.json("context", "show")["servers"] == ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    assert signed_in("context", "list", "-o", "name").stdout == "default\nother\n"
    assert "* " in signed_in("context", "list").stdout
    signed_in("context", "remove", "other")
    assert "known: default" in signed_in("context", "use", "other", code=2).stderr
    assert "not a name" in signed_in("context", "set", "default", "-t", "No Name", code=1).stderr


def test_a_token_never_follows_to_other_servers(signed_in, center) -> None:
    signed_in("context", "set", "default", "--servers", "http://127.0.0.1:1")
    assert contexts.load(signed_in.file).find("").token == ""


def test_the_server_option_leaves_the_token_behind(signed_in, center) -> None:
    other = center.address.replace("127.0.0.1", "localhost")
    signed_in("--server", other, "config", "list", code=4)
    signed_in.environment["QIANTANG_CLI_TOKEN"] = TOKEN
    signed_in("--server", other, "config", "list")


def test_the_environment_is_enough_for_programs(run, center) -> None:
    center.put("application", {"a": "1"})
    run.environment |= {
        "QIANTANG_CLI_SERVER": center.address,
        "QIANTANG_CLI_TOKEN": TOKEN,
        "QIANTANG_CLI_TENANT": "acme",
        "QIANTANG_CLI_ENVIRONMENT": "prod",
        "QIANTANG_CLI_CENTER": "main",
        "QIANTANG_CLI_APPLICATION": "orders",
        "QIANTANG_CLI_OUTPUT": "name",
    }
    assert run("config", "list").stdout == "application\n"
    assert not run.file.exists()


def test_a_file_that_others_can_read_is_warned_of(signed_in) -> None:
    signed_in.file.chmod(0o644)
    assert "chmod 600" in signed_in("context", "list").stderr


def test_a_broken_file_is_named(run) -> None:
    run.file.write_text("current = [")
    assert f"{run.file} is not a file of contexts" in run("context", "list", code=2).stderr
    run.file.write_text('[contexts.a]\nserver = "x"\n')
    assert "unknown field" in run("context", "list", code=2).stderr


def test_without_a_context_the_way_to_one_is_said(run) -> None:
    assert "qiantang login http://HOST:PORT" in run("config", "list", code=2).stderr
