"""Laws of trees: nesting, merging, freezing, comparing."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config.model import tree

keys = st.text(alphabet="abcxyz-_", min_size=1, max_size=4)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
trees = st.dictionaries(keys, values, max_size=5)


def shaped(shape: object) -> st.SearchStrategy[object]:
    """Trees that have mappings only where `shape` has them, so that no key changes its kind between layers."""
    if isinstance(shape, dict):
        return st.fixed_dictionaries({}, optional={key: shaped(inner) for key, inner in shape.items()})
    return scalars | st.lists(scalars, max_size=2)


shapes = st.dictionaries(
    keys,
    st.recursive(st.none(), lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3), max_leaves=8),
    max_size=4,
)
alike = shapes.flatmap(lambda shape: st.tuples(shaped(shape), shaped(shape), shaped(shape)))


def is_unchangeable(value: object) -> bool:
    return isinstance(value, MappingProxyType | tuple | str | int | float | bool | None.__class__)


@given(trees)
def test_flatten_and_nest_are_inverse(whole):
    assert tree.same(tree.nest(tree.flatten(whole)), whole)


@given(trees)
def test_freeze_is_deep_and_thaw_gives_back(whole):
    frozen = tree.freeze(whole)

    def walk(value):
        assert is_unchangeable(value)
        if isinstance(value, MappingProxyType):
            for inner in value.values():
                walk(inner)
        if isinstance(value, tuple):
            for inner in value:
                walk(inner)

    walk(frozen)
    assert tree.same(tree.thaw(frozen), whole)
    with pytest.raises(TypeError):
        frozen["new"] = 1


@given(trees, trees)
def test_merge_of_frozen_is_frozen_and_leaves_inputs_alone(low, high):
    frozen_low, frozen_high = tree.freeze(low), tree.freeze(high)
    merged = tree.merge(frozen_low, frozen_high)
    assert tree.same(tree.freeze(tree.thaw(merged)), merged)
    assert isinstance(merged, MappingProxyType)
    assert tree.same(frozen_low, low)
    assert tree.same(frozen_high, high)


@given(trees)
def test_the_empty_mapping_is_the_identity(whole):
    assert tree.same(tree.merge({}, whole), whole)
    assert tree.same(tree.merge(whole, {}), whole)
    assert tree.same(tree.merge(whole, whole), whole)


@given(alike)
def test_merge_is_associative_where_kinds_agree(three):
    low, middle, high = three
    left = tree.merge(tree.merge(low, middle), high)
    right = tree.merge(low, tree.merge(middle, high))
    assert tree.same(left, right)


def test_merge_is_not_associative_where_a_key_changes_its_kind():
    low, middle, high = {"a": {"p": 1}}, {"a": 5}, {"a": {"q": 2}}
    assert tree.merge(tree.merge(low, middle), high) == {"a": {"q": 2}}
    assert tree.merge(low, tree.merge(middle, high)) == {"a": {"p": 1, "q": 2}}


def test_null_overrides_and_stays_and_lists_are_replaced():
    merged = tree.merge({"a": 1, "b": {"c": 2}, "l": [1, 2]}, {"a": None, "b": None, "l": [3]})
    assert merged == {"a": None, "b": None, "l": [3]}


def test_nest_names_each_conflict():
    with pytest.raises(tree.KeyConflictError) as caught:
        tree.nest({"db": 1, "db.pool": 5, "db.pool.size": 6, "web.port": 80})
    assert caught.value.code == "config.key_conflict"
    assert [problem.path for problem in caught.value.problems] == ["db.pool", "db.pool.size"]
    assert "'db' has a value of its own" in caught.value.problems[0].message


def test_nest_does_not_step_into_json_values():
    with pytest.raises(tree.KeyConflictError):
        tree.nest({"db": {"pool": 1}, "db.size": 5})


@given(trees, trees)
def test_changed_leads_from_one_to_the_other(before, after):
    changes = tree.changed(before, after)
    assert (changes == {}) == tree.same(before, after)
    flat = tree.flatten(before)
    for path, change in changes.items():
        assert tree.same(flat.pop(path, tree.MISSING), change.before)
        assert not tree.same(change.before, change.after)
    for path, change in changes.items():
        if change.after is not tree.MISSING:
            flat[path] = change.after
    assert tree.same(flat, tree.flatten(after))


def test_changed_sees_types_and_passes_over_what_is_shared():
    shared = tree.freeze({"deep": {"x": 1}})
    before = MappingProxyType({"a": shared, "n": 1, "t": True})
    after = MappingProxyType({"a": shared, "n": 1.0, "t": 1})
    assert set(tree.changed(before, after)) == {"n", "t"}


def test_a_value_that_becomes_a_group_is_two_changes():
    changes = tree.changed({"db": 1}, {"db": {"pool": 5}})
    assert changes["db"] == tree.Changed(1, tree.MISSING)
    assert changes["db.pool"] == tree.Changed(tree.MISSING, 5)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", {"a": {"b": [10, {"c": 1}]}, "x.y": {"z.w": 2}, "x": {"y": 3}}),
        ("a.b.0", 10),
        ("a.b.1.c", 1),
        ("x.y", 3),
        ("x.y.z.w", 2),
        ("a.b.2", tree.MISSING),
        ("a.b.-1", tree.MISSING),
        ("a.b.c", tree.MISSING),
        ("a.b.0.c", tree.MISSING),
        ("nope", tree.MISSING),
    ],
)
def test_get(path, value):
    whole = {"a": {"b": [10, {"c": 1}]}, "x.y": {"z.w": 2}, "x": {"y": 3}}
    assert tree.get(whole, path) == value
    assert tree.get(tree.freeze(whole), path) == tree.freeze(value)


def test_missing_is_false_and_named():
    assert not tree.MISSING
    assert repr(tree.MISSING) == "MISSING"
