"""The nouns of identity: what is refused when read, what is never shown, and errors that cross the wire."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from qiantang.identity import errors as identity_errors
from qiantang.identity import model
from qiantang.kernel import errors, wire

KINDS = [
    kind
    for _, kind in inspect.getmembers(identity_errors, inspect.isclass)
    if issubclass(kind, errors.QiantangError) and kind.__module__ == identity_errors.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_back_as_itself(kind: type[errors.QiantangError]) -> None:
    assert kind.code.startswith("identity.")
    sent = kind("what happened", retry_after=1.5, facts={"server_time": 5})
    came = errors.from_document(wire.decode(wire.encode(sent.document("r1")), errors.ProblemDocument))
    assert type(came) is kind
    assert (came.detail, came.retry_after, came.facts) == ("what happened", 1.5, {"server_time": 5})


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (model.NewTenant, {"name": "Acme"}),
        (model.NewTenant, {"name": "acme", "tilte": "typo"}),
        (model.NewUser, {"name": "ann"}),
        (model.NewUser, {"name": "ann", "password": "x" * 257}),
        (model.NewRole, {"name": "reader", "permissions": []}),
        (model.NewGrant, {"user": "u", "role": "viewer", "pattern": "acme", "expires": -1}),
        (model.NewAccessToken, {"name": "cli", "lifetime_days": 0}),
        (model.NewAccessToken, {"name": "cli"}),
        (model.RotateCredential, {"overlap_seconds": 10**9}),
    ],
)
def test_what_makes_no_sense_is_refused_when_read(kind: type[Any], body: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequestError):
        wire.decode(wire.encode(body), kind)


def test_pages_carry_what_they_are_of() -> None:
    page = model.Page[model.Tenant](
        items=[model.Tenant(name="acme", title="", disabled=False, created_at=1)], next="acme"
    )
    assert wire.decode(wire.encode(page), model.Page[model.Tenant]) == page


def test_secrets_do_not_show_when_printed() -> None:
    secret = "s3cr3t-s3cr3t"
    scope = model.scope.Scope.parse("acme/dev/sales/orders")
    info = model.AccessToken(
        id="t", name="cli", permissions=["*:*"], pattern="*/*/*/*", created_at=1, expires_at=2, last_used_at=0
    )
    for thing in (
        model.NewUser(name="ann", password=secret),
        model.UserChange(password=secret),
        model.FirstStart(token=secret, name="ann", password=secret),
        model.SignIn(name="ann", password=secret),
        model.PasswordChange(current=secret, new=secret),
        model.IssuedCredential(id="c", secret=secret, scope=scope, expires_at=0),
        model.IssuedAccessToken(token=secret, info=info),
    ):
        assert secret not in repr(thing)
        assert secret not in f"{thing}"
