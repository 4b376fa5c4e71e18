"""Names, references, and what a namespace's body may hold."""

from __future__ import annotations

import pytest

from qiantang.config import model
from qiantang.kernel import errors, scope, secret, wire

HERE = scope.Scope(tenant="acme", environment="prod", center="east", application="shop")


@pytest.mark.parametrize(
    ("text", "name", "cluster"),
    [("application", "application", ""), ("redis.main@blue-1", "redis.main", "blue-1")],
)
def test_a_name_reads_back_as_it_was_written(text, name, cluster):
    parsed = model.NamespaceName.parse(text)
    assert (parsed.name, parsed.cluster) == (name, cluster)
    assert str(parsed) == text


@pytest.mark.parametrize("text", ["", "@", "a@", "@a", "A", "a@b@c", "a/b", "../a", "a" * 65, "a@" + "b" * 65, "a\n"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(errors.InvalidRequestError):
        model.check_name(text)


def test_a_reference_leads_to_a_bundle_of_the_same_tenant_and_environment():
    reference = model.Reference.parse("hub/platform/redis")
    assert str(reference) == "hub/platform/redis"
    assert str(reference.bundle(HERE)) == "acme/prod/hub/platform:config"


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/c/d", "a/b/c@d", "a//c", "A/b/c"])
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(errors.InvalidRequestError):
        model.Reference.parse(text)


def test_a_body_with_an_unknown_field_is_refused():
    with pytest.raises(errors.InvalidRequestError, match="formt"):
        wire.convert({"formt": "yaml"}, model.Namespace)
    with pytest.raises(errors.InvalidRequestError, match="kind"):
        wire.convert({"format": "properties", "items": {"a": {"value": "1", "kind": "x"}}}, model.Namespace)


def test_a_body_reads_back_and_shows_no_secret():
    body = {
        "format": "properties",
        "items": {"db.password": {"value": {"$secret": {"value": "hunter2"}}, "comment": "rotate"}},
        "public": True,
    }
    namespace = wire.convert(body, model.Namespace)
    assert isinstance(namespace.items["db.password"].value, secret.Secret)
    assert "hunter2" not in repr(namespace)
    assert wire.decode(wire.encode(namespace), model.Namespace) == namespace


def test_what_is_delivered_shows_no_data():
    delivered = model.Delivered(format="properties", data={"password": "hunter2"}, secrets=["password"])
    assert "hunter2" not in repr(delivered)
    assert wire.decode(wire.encode(delivered), model.Delivered) == delivered
