"""Schemas: both dialects, every error located, nothing fetched, nothing blows up, no value told."""

from __future__ import annotations

import json
import random
import socket

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.config.rules import documents, schemas
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits

DRAFT7 = "http://json-schema.org/draft-07/schema#"


def problems(schema, data=None, *, text=None, kind="json", secrets=(), limits=DEFAULT):
    reading = schemas.read(schema if isinstance(schema, str) else json.dumps(schema), limits)
    assert not reading.problems, reading.problems
    read = documents.parse(kind, json.dumps(data) if text is None else text, limits)
    return reading.schema.problems(read.data, limits, read.mark, frozenset(secrets))


def refused(schema, limits=DEFAULT):
    reading = schemas.read(schema if isinstance(schema, str) else json.dumps(schema), limits)
    assert reading.schema is None
    assert all(problem.path == "schema" for problem in reading.problems)
    return reading.problems


SHOP = {
    "type": "object",
    "properties": {
        "port": {"type": "integer", "maximum": 65535},
        "mode": {"enum": ["fast", "safe"]},
        "hosts": {"type": "array", "items": {"type": "string", "format": "hostname"}},
    },
    "required": ["port", "mode"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("yaml", "port: 70000\nhosts:\n  - ok\n  - not a host\nextra: 1\n"),
        ("json", '{"port": 70000,\n"hosts": [\n"ok",\n"not a host"],\n"extra": 1}'),
        ("toml", 'port = 70000\nhosts = [ "ok",\n\n"not a host" ]\nextra = 1\n'),
    ],
)
def test_every_error_is_there_with_its_line(kind, text):
    found = {(problem.path, problem.line): problem.message for problem in problems(SHOP, text=text, kind=kind)}
    host_line = 2 if kind == "toml" else 4
    assert found == {
        ("port", 1): "must be at most 65535",
        ("", 1): "'mode' is missing",
        ("hosts.1", host_line): "must be written as hostname",
        ("extra", 5): "this key is not one that the schema allows",
    }


@pytest.mark.parametrize(
    ("schema", "data", "words"),
    [
        ({"type": ["string", "null"]}, 5, "must be of type string, null"),
        ({"const": {"a": 1}}, 5, 'must be {"a":1}'),
        ({"minLength": 3}, "ab", "at least 3 characters"),
        ({"pattern": "^[a-z]+$"}, "a1", "match the pattern ^[a-z]+$"),
        ({"uniqueItems": True}, [1, {"a": 1}, {"a": 1.0}], "the same entry twice"),
        ({"propertyNames": {"maxLength": 2}}, {"abc": 1}, "a key must have at most 2 characters"),
        ({"anyOf": [{"type": "string"}, {"minimum": 9}]}, 5, "must be at least 9"),
        ({"oneOf": [{}, {}]}, 5, "exactly one"),
        ({"not": {}}, 5, "must not fit"),
        ({"contains": {"type": "string"}}, [1], "an entry that fits"),
        ({"patternProperties": {"^x-": False}}, {"x-a": 1}, "must not be here"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "does not fit 'dependentRequired'"),
        ({"unevaluatedProperties": False, "properties": {"a": True}}, {"b": 1}, "keys that the schema does not allow"),
        ({"$schema": DRAFT7, "definitions": {"p": {"minimum": 3}}, "$ref": "#/definitions/p"}, 2, "at least 3"),
        ({"$schema": DRAFT7, "items": [{"type": "string"}]}, [5], "of type string"),
        ({"$defs": {"n": {"$anchor": "here", "minimum": 3}}, "$ref": "#here"}, 2, "at least 3"),
    ],
)
def test_keywords(schema, data, words):
    assert any(words in problem.message for problem in problems(schema, data))


def test_unique_items_tells_true_from_one():
    assert problems({"uniqueItems": True}, [1, True, "1", [1], [True], {"a": 1}, {"a": True}, None]) == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"type": }', "expected a value"),
        ({"type": "strin"}, "must be one of array"),
        ({"minLength": -1}, "at least 0"),
        ({"$ref": "https://example.com/x.json"}, "only inside the schema"),
        ({"$ref": "file:///etc/passwd"}, "only inside the schema"),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "only inside the schema"),
        ({"properties": {"a": {"$ref": "other.json#/a"}}}, "only inside the schema"),
        ({"$dynamicRef": "http://x/#y"}, "only inside the schema"),
        ({"$ref": "#/$defs/none"}, "leads to no schema"),
        ({"$ref": "#nowhere"}, "leads to no schema"),
        ({"$ref": "#/default", "default": {"$ref": "http://x"}}, "leads to no schema"),
        ({"$ref": "#/properties", "properties": {"$id": True}}, "leads to no schema"),
        ({"properties": {"a": {"$id": "http://x/", "type": "string"}}}, "only the top"),
        ({"properties": {"a": {"$schema": DRAFT7}}}, "only the top"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "not known"),
        ({"$schema": {"a": 1}}, "not known"),
        ({"pattern": "(a"}, "without its ')'"),
        ({"pattern": r"(a)\1"}, "refers back"),
        ({"patternProperties": {"(?=a)": True}}, "ahead or behind"),
        ({"patternProperties": {"a": True}, "unevaluatedProperties": False}, "not taken together"),
        ({"allOf": [{"pattern": f"[ab]{{{n}}}"} for n in range(100, 400)]}, "too large together"),
        ([1], "must be of type object, boolean"),
    ],
)
def test_a_wrong_schema_is_refused(schema, words):
    assert any(words in problem.message for problem in refused(schema))


def test_errors_of_a_schema_have_their_place():
    (problem,) = refused('{\n  "properties": {\n    "a": {"minLength": -1}\n  }\n}')
    assert (problem.line, problem.column) == (3, 24)
    assert "'properties/a/minLength'" in problem.message


def test_an_over_large_schema_is_refused():
    assert "larger than 65536 bytes" in refused('{"title": "' + "x" * 70_000 + '"}')[0].message


def test_keywords_as_names_of_properties_are_data_not_keywords():
    schema = {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}, "enum": {"const": 1}}}
    assert problems(schema, {"$ref": "x", "pattern": "(", "enum": 1}) == []
    assert problems({"enum": [{"$ref": "http://x"}]}, {"$ref": "http://x"}) == []


def test_nothing_is_ever_fetched(monkeypatch):
    def never(*_arguments, **_named):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "create_connection", never)
    monkeypatch.setattr(socket.socket, "connect", never)
    refused({"$ref": "http://127.0.0.1:1/x"})
    assert problems({"$schema": DRAFT7, "$id": "http://127.0.0.1:1/me", "$ref": "#"}, {})[0].path == "schema"
    assert problems({"$id": "http://127.0.0.1:1/me", "properties": {"a": {"$ref": "#"}}}, {"a": {}}) == []


def nested(keyword, width, depth):
    definitions = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * width} for n in range(depth)}
    return {"$defs": {**definitions, f"d{depth}": {"type": "string"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (nested("anyOf", 10, 30), 1),
        (nested("oneOf", 10, 30), 1),
        ({"$ref": "#"}, {}),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {}),
        ({"not": {"$ref": "#"}}, {}),
        ({"$dynamicAnchor": "x", "$dynamicRef": "#x"}, {}),
        ({"allOf": [{"items": {"enum": [list(range(50))] * 5}}] * 40}, [list(range(50))] * 500),
        ({"pattern": "^[ab]*a[ab]{300}c"}, "".join(random.Random(1).choices("ab", k=30_000))),
    ],
)
def test_what_would_blow_up_is_given_up(schema, data):
    found = problems(schema, data, limits=NamespaceLimits(schema_steps=20_000))
    assert any("too many steps" in problem.message for problem in found)


def test_mixed_lists_in_a_schema_are_checked_in_linear_time():
    limits = NamespaceLimits(schema_steps=20_000)
    assert refused({"type": [1, "a"] * 8000}, limits)


def test_the_catastrophe_of_other_matchers_is_none():
    found = problems({"pattern": "^(a|aa)+$"}, "a" * 60_000 + "!")
    assert [problem.message for problem in found] == ["must match the pattern ^(a|aa)+$"]


def test_a_text_too_long_for_a_pattern_is_said():
    assert "too long to be matched" in problems({"pattern": "b"}, "a" * 70_000)[0].message


def test_no_more_problems_than_asked_for():
    data = {f"k{n}": n for n in range(1000)}
    assert len(problems({"additionalProperties": {"type": "string"}}, data)) == DEFAULT.problems


SECRET = "hunter2"
LEAKY = [
    {"type": "integer"},
    {"const": 1},
    {"enum": [1]},
    {"pattern": "^x$"},
    {"maxLength": 1},
    {"format": "ipv4"},
    {"not": {"type": "string"}},
    {"anyOf": [{"type": "integer"}, {"maxLength": 1}]},
    {"oneOf": [{"type": "string"}, {"minLength": 1}]},
]


@pytest.mark.parametrize("schema", LEAKY)
def test_a_secret_is_never_told(schema):
    (problem,) = problems({"properties": {"password": schema}}, {"password": SECRET}, secrets=[("password",)])
    assert SECRET not in str(problem)
    assert problem.path == "password"
    assert "the secret does not fit" in problem.message


@pytest.mark.parametrize(
    "schema",
    [
        {"additionalProperties": False},
        {"propertyNames": {"maxLength": 1}},
        {"required": ["other"]},
        {"additionalProperties": {"type": "integer"}},
        {"patternProperties": {"h": {"type": "integer"}}},
        {"unevaluatedProperties": False},
        {"properties": {SECRET: {"properties": {SECRET: False}}}},
    ],
)
def test_nor_is_a_key_inside_one(schema):
    data = {"keys": {SECRET: {SECRET: SECRET}}}
    (problem,) = problems({"properties": {"keys": schema}}, data, secrets=[("keys",)])
    assert SECRET not in problem.message
    assert problem.path == "keys"


@pytest.mark.parametrize(
    "schema",
    [
        {"const": 1},
        {"enum": [1]},
        {"maxProperties": 0},
        {"not": {}},
        {"type": "array"},
        {"additionalProperties": False},
    ],
)
def test_nor_by_what_is_around_it(schema):
    found = problems(schema, {"password": SECRET}, secrets=[("password",)])
    assert found
    assert all(SECRET not in str(problem) for problem in found)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab", "x-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "x-1"]), inner, max_size=3),
    max_leaves=6,
)
types = st.sampled_from(["string", "integer", "number", "object", "array", "boolean", "null"])
simple = st.one_of(
    st.fixed_dictionaries({"type": types}),
    st.fixed_dictionaries({"enum": st.lists(values, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": values}),
    st.fixed_dictionaries({"minLength": st.integers(0, 2), "pattern": st.sampled_from(["^a", "b$", "[0-9]"])}),
    st.fixed_dictionaries(
        {"required": st.lists(st.sampled_from(["a", "b"]), unique=True), "uniqueItems": st.booleans()}
    ),
    st.booleans(),
)
generated = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {}, optional={"properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
                          "patternProperties": st.dictionaries(st.sampled_from(["^x-", "a"]), inner, max_size=2),
                          "additionalProperties": inner, "items": inner, "contains": inner, "not": inner}
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"if": inner, "then": inner, "else": inner}),
    ),
    max_leaves=6,
)  # fmt: skip


@given(generated, values, st.sampled_from(["", DRAFT7]))
def test_the_verdict_is_that_of_the_plain_library(schema, data, dialect):
    if dialect and isinstance(schema, dict):
        schema = {"$schema": dialect, **schema}
    kind = jsonschema.Draft7Validator if dialect else jsonschema.Draft202012Validator
    assert (problems(schema, data) == []) is kind(schema).is_valid(data)
