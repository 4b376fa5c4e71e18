"""What one instance sees, and which layer gave it."""

from __future__ import annotations

from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config import model
from qiantang.config.model import effective, tree
from qiantang.kernel import errors, resource, scope, wire

OWN = resource.Bundle(
    scope=scope.Scope(tenant="acme", environment="prod", center="east", application="shop"),
    capability="config",
)
HUB = resource.Bundle(
    scope=scope.Scope(tenant="acme", environment="prod", center="hub", application="platform"),
    capability="config",
)


def entry(name: str, data: object, **fields: object) -> resource.Entry:
    content = wire.encode(model.Delivered(format=fields.pop("format", "yaml"), data=data, **fields))
    return resource.Entry("namespace", name, resource.content_digest(content), msgspec.Raw(content))


def snapshot(*entries: resource.Entry, bundle=OWN, revision=1, gray="") -> resource.Snapshot:
    return resource.Snapshot(
        bundle=bundle,
        position=resource.Position(0, revision),
        digest=resource.snapshot_digest(list(entries)),
        gray=gray,
        entries=list(entries),
    )


def four_layers() -> effective.Effective:
    own = snapshot(
        entry("application", {"a": "own", "b": "own", "only": 3}, inherits="hub/platform/base"),
        entry("application@blue", {"a": "own@blue"}),
        entry("application@red", {"a": "own@red"}),
        entry("other@red", {"x": 1}),
        revision=7,
        gray="g1",
    )
    hub = snapshot(
        entry("base", {"a": "base", "b": "base", "c": "base", "d": "base"}, public=True),
        entry("base@blue", {"d": "base@blue"}, public=True),
        bundle=HUB,
        revision=3,
    )
    return effective.effective(own, [hub], "blue")


def test_layers_go_from_inherited_to_own_cluster():
    application = four_layers().namespaces["application"]
    assert application.data == {"a": "own@blue", "b": "own", "c": "base", "d": "base@blue", "only": 3}
    assert [str(layer.origin) for layer in application.layers] == [
        "hub/platform/base at 0:3",
        "hub/platform/base@blue at 0:3",
        "east/shop/application at 0:7 (gray g1)",
        "east/shop/application@blue at 0:7 (gray g1)",
    ]
    assert application.missing == ""


def test_namespaces_of_other_clusters_are_not_seen():
    assert list(four_layers().namespaces) == ["application"]
    assert four_layers().find("other") is None


def test_each_value_is_explained_with_what_it_covers():
    (found,) = four_layers().namespaces["application"].explain("a")
    assert found.value == "own@blue"
    assert (found.origin.namespace, found.origin.cluster, found.origin.inherited) == (
        "application",
        "blue",
        False,
    )
    assert (found.origin.position, found.origin.gray, found.origin.bundle) == (
        resource.Position(0, 7),
        "g1",
        OWN,
    )
    assert [(covered.value, covered.origin.inherited) for covered in found.shadowed] == [
        ("own", False),
        ("base", True),
    ]


def test_explaining_a_group_explains_each_leaf_and_nothing_where_nothing_is():
    namespace = effective.effective(snapshot(entry("x", {"db": {"a": 1, "b": 2}, "dbx": 3})), [], "").namespaces["x"]
    assert [found.path for found in namespace.explain("db")] == ["db.a", "db.b"]
    assert len(namespace.explain()) == 3
    assert namespace.explain("no") == []


def test_a_value_hidden_by_another_kind_is_not_the_origin():
    own = snapshot(entry("x", {"k": {"q": 9}}, inherits="hub/platform/base"), entry("x@blue", {"k": {}}, inherits=""))
    hub = snapshot(entry("base", {"k": 5}, public=True), bundle=HUB)
    namespace = effective.effective(own, [hub], "blue").namespaces["x"]
    (found,) = namespace.explain("k")
    assert (found.path, found.value, str(found.origin)) == ("k.q", 9, "east/shop/x at 0:1")
    assert found.shadowed == ()


@pytest.mark.parametrize(
    ("linked", "reason"),
    [
        ([], "no public namespace hub/platform/base"),
        ([snapshot(entry("base", {"a": 1}), bundle=HUB)], "no public namespace"),
        ([snapshot(entry("base@blue", {"a": 1}, public=True), bundle=HUB)], "no public namespace"),
    ],
)
def test_what_cannot_be_inherited_is_said_and_the_rest_holds(linked, reason):
    own = snapshot(entry("application", {"b": 2}, inherits="hub/platform/base"))
    namespace = effective.effective(own, linked, "blue").namespaces["application"]
    assert namespace.data == {"b": 2}
    assert reason in namespace.missing


def test_the_cluster_may_inherit_another_and_own_public_namespaces_count():
    own = snapshot(
        entry("x", {}, inherits="hub/platform/base"),
        entry("x@blue", {}, inherits="east/shop/mine"),
        entry("mine", {"m": 1}, public=True),
    )
    assert effective.effective(own, [], "blue").namespaces["x"].data == {"m": 1}
    assert effective.effective(own, [], "red").namespaces["x"].missing


def test_text_is_replaced_as_a_whole():
    own = snapshot(entry("motd", "hello", format="text"), entry("motd@blue", "bonjour", format="text"))
    namespace = effective.effective(own, [], "blue").namespaces["motd"]
    assert namespace.data == "bonjour"
    (found,) = namespace.explain()
    assert (found.path, found.shadowed[0].value) == ("", "hello")


def test_secrets_are_known_by_the_layer_that_gave_them_and_never_shown():
    own = snapshot(
        entry("x", {"db": {"password": "low-secret", "user": "u"}}, secrets=["db.password"]),
        entry("x@blue", {"db": {"user": {"name": "hidden-name"}}}, secrets=["db.user"]),
    )
    whole = effective.effective(own, [], "blue")
    namespace = whole.namespaces["x"]
    assert namespace.secrets() == ["db.password", "db.user.name"]
    assert effective.effective(own, [], "").namespaces["x"].secrets() == ["db.password"]
    shown = repr(whole) + repr(namespace) + repr(namespace.layers) + repr(namespace.explain())
    assert "low-secret" not in shown
    assert "hidden-name" not in shown


def test_what_did_not_change_keeps_its_very_tree():
    one, two = entry("one", {"a": {"b": 1}}), entry("two", {"c": 1})
    before = effective.effective(snapshot(one, two, revision=1), [], "blue")
    after = effective.effective(snapshot(one, entry("two", {"c": 2}), revision=2), [], "blue", before)
    assert after.namespaces["one"].data is before.namespaces["one"].data
    assert after.namespaces["one"].layers[0].origin.position == resource.Position(0, 2)
    assert after.namespaces["two"].data == {"c": 2}


def test_content_that_no_control_plane_wrote_is_refused():
    wrong = resource.Entry("namespace", "x", "0" * 64, msgspec.Raw(b'{"format":"ini","data":{}}'))
    with pytest.raises(errors.InvalidRequestError):
        effective.effective(snapshot(wrong), [], "")


def test_other_kinds_in_the_bundle_are_passed_over():
    other = resource.Entry("flag", "x", "0" * 64, msgspec.Raw(b"1"))
    assert effective.effective(snapshot(other), [], "").namespaces == {}


keys = st.sampled_from("abc")
values = st.recursive(st.integers(0, 3) | st.none(), lambda inner: st.dictionaries(keys, inner, max_size=3))
trees = st.dictionaries(keys, values, max_size=3)


@given(trees, trees, trees, trees)
def test_the_origin_is_the_layer_that_gave_the_value(base, base_blue, own, own_blue):
    given_layers = [base, base_blue, own, own_blue]
    mine = snapshot(entry("x", own, inherits="hub/platform/base"), entry("x@blue", own_blue))
    hub = snapshot(entry("base", base, public=True), entry("base@blue", base_blue, public=True), bundle=HUB)
    namespace = effective.effective(mine, [hub], "blue").namespaces["x"]
    expected: object = {}
    for layer in given_layers:
        expected = tree.merge(expected, layer)
    assert tree.same(namespace.data, expected)
    assert isinstance(namespace.data, MappingProxyType)
    assert {found.path for found in namespace.explain()} == set(tree.flatten(expected))
    for found in namespace.explain():
        index = next(i for i, layer in enumerate(namespace.layers) if layer.origin == found.origin)
        path = tuple(found.path.split("."))
        assert tree.same(tree.at(given_layers[index], path), found.value)
        assert all(tree.at(layer, path) is tree.MISSING for layer in given_layers[index + 1 :])
        below = [tree.at(layer, path) for layer in reversed(given_layers[:index])]
        assert len(found.shadowed) == sum(value is not tree.MISSING for value in below)
