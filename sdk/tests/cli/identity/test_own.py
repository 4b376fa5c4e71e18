"""token, session, password: what a token must not do goes over a session that ends at once."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.identity import errors as identity_errors
from qiantang.kernel import errors

PASSWORD = "correct horse"  # the small control plane's
MOMENTS = {"created_at": 1, "expires_at": 2, "last_used_at": 0}


@pytest.fixture(autouse=True)
def own(estate: Any) -> None:
    estate.put("tokens/k1", name="ci", permissions=["*:*"], pattern="*", **MOMENTS)
    estate.put("sessions/s9", seen_at=1, expires_at=2, address="10.0.0.1", agent="a browser", current=False)


def test_a_token_is_made_with_the_password_over_a_session_that_ends(signed_in: Any, center: Any, posted: Any) -> None:
    words = ("token", "create", "ci", "--days", "3", "--permission", "config.*:read", "--scope", "acme/dev")
    result = signed_in(*words, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert "qt_pat_4567_new" in result.stdout
    assert PASSWORD not in result.output
    (sign_in, order, sign_out) = posted("POST")
    assert sign_in == ("login", {"name": "ann", "password": PASSWORD, "tenant": "acme"})
    assert order[1] == {"name": "ci", "lifetime_days": 3, "permissions": ["config.*:read"], "pattern": "acme/dev"}
    assert sign_out[0] == "logout"
    assert center.sessions == set()


def test_a_token_without_limits_is_all_that_one_may(signed_in: Any, posted: Any) -> None:
    signed_in("token", "create", "ci", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (posted("POST")[1][1]["permissions"], posted("POST")[1][1]["pattern"]) == (["*:*"], "*")


def test_the_session_ends_where_the_order_is_refused(
    signed_in: Any, center: Any, estate: Any, monkeypatch: Any
) -> None:
    answer = center.identity

    def refuse(method: str, parts: list[str], headers: Any, data: Any) -> Any:
        if (method, parts) == ("POST", ["tokens"]):
            raise errors.RejectedError("you have 50 tokens")
        return answer(method, parts, headers, data)

    monkeypatch.setattr(center, "identity", refuse)
    assert "50 tokens" in signed_in("token", "create", "ci", "--password-stdin", stdin=f"{PASSWORD}\n", code=5).stderr
    assert center.sessions == set()


def test_a_wrong_password_is_said_without_further_advice(signed_in: Any, center: Any, monkeypatch: Any) -> None:
    answer = center.identity

    def refuse(method: str, parts: list[str], headers: Any, data: Any) -> Any:
        if parts == ["login"]:
            raise identity_errors.BadSignInError("name and password do not go together")
        return answer(method, parts, headers, data)

    monkeypatch.setattr(center, "identity", refuse)
    result = signed_in("token", "create", "ci", "--password-stdin", stdin="wrong\n", code=4)
    assert result.stderr == "error: name and password do not go together\n"


def test_tokens_and_sessions_are_listed(signed_in: Any) -> None:
    assert signed_in("token", "list", "-o", "name").stdout == "k1\n"
    assert "*:*" in signed_in("token", "list").stdout
    assert signed_in("session", "list", "-o", "name").stdout == "s9\n"
    assert "a browser" in signed_in("session", "list").stdout


def test_the_own_password_is_changed_from_two_lines(signed_in: Any, center: Any, estate: Any) -> None:
    result = signed_in("password", "--password-stdin", stdin=f"{PASSWORD}\nbattery staple\n")
    ((change),) = estate.passwords
    assert (change.current, change.new) == (PASSWORD, "battery staple")
    assert "battery" not in result.output
    assert center.sessions == set()
    assert "stdin holds no password" in signed_in("password", "--password-stdin", stdin=f"{PASSWORD}\n", code=2).stderr
    assert len(estate.passwords) == 1


@pytest.mark.usefixtures("at_terminal")
def test_a_person_is_asked_for_his_password_and_the_new_one_twice(signed_in: Any, estate: Any) -> None:
    result = signed_in("password", stdin=f"{PASSWORD}\nbattery staple\nbattery staple\n")
    assert "password of ann" in result.stderr
    assert [(one.current, one.new) for one in estate.passwords] == [(PASSWORD, "battery staple")]


def test_a_password_goes_nowhere_in_the_clear(signed_in: Any) -> None:
    signed_in.environment["QIANTANG_CLI_SERVER"] = "http://192.0.2.1:1"
    assert "without TLS" in signed_in("password", "--password-stdin", stdin="a\nb\n", code=2).stderr
