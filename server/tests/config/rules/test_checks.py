"""A whole namespace: everything wrong with it is found, and no secret is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.config.rules import checks, documents
from qiantang_server.config.rules.limits import NamespaceLimits

SECRET = "hunter2"


def hidden(value):
    return {"$secret": {"value": value}}


def items(**values):
    return {"format": "properties", "items": {key.replace("__", "."): value for key, value in values.items()}}


def document(kind, text, **fields):
    return {"format": kind, "document": text, **fields}


def test_a_good_namespace_has_no_problems():
    body = items(
        db__url={"value": "postgresql://h/db", "comment": "main"},
        db__pool={"value": "5", "type": "number"},
        db__password={"value": hidden(SECRET)},
        flags={"value": '{"a": [1, null]}', "type": "json"},
        on={"value": "true", "type": "boolean"},
    )
    body["schema"] = '{"properties": {"db": {"properties": {"pool": {"type": "integer"}}}}}'
    body["inherits"] = "hub/platform/base"
    assert checks.check("application@blue", body) == []
    for kind, text in (("yaml", "a: 1"), ("json", '{"a": 1}'), ("toml", "a = 1"), ("text", "any: [")):
        assert checks.check("x", document(kind, text)) == []


@pytest.mark.parametrize(
    ("name", "body", "path", "words"),
    [
        ("Bad", document("text", ""), "name", "not a name"),
        ("a@b@c", document("text", ""), "name", "not a name"),
        ("x", {"format": "ini"}, "", "Invalid enum value"),
        ("x", {"format": "yaml", "nope": 1}, "", "unknown field"),
        ("x", {"format": "properties", "document": "a"}, "document", "holds items"),
        ("x", {"format": "yaml", "items": {"a": {"value": "1"}}}, "items", "holds a document"),
        ("x", document("text", "", inherits="a/b"), "inherits", "center/application/namespace"),
        ("x", document("text", "", inherits="a/b/c", public=True), "inherits", "cannot itself inherit"),
        ("x", document("text", "", schema="{}"), "schema", "no schema"),
        ("x", document("yaml", "a: 1", schema="{"), "schema", "in the schema"),
        ("x", document("yaml", "a: 1", schema='{"required": ["b"]}'), "", "'b' is missing"),
        ("x", items(a={"value": "x", "type": "number"}), "a", "must be a number"),
        ("x", items(a={"value": "NaN", "type": "number"}), "a", "must be a number"),
        ("x", items(a={"value": "1e999", "type": "number"}), "a", "too large"),
        ("x", items(a={"value": "yes", "type": "boolean"}), "a", "true or false"),
        ("x", items(a={"value": "{", "type": "json"}), "a", "key in double quotes"),
        ("x", items(db={"value": "1"}, db__pool={"value": "5"}), "db.pool", "value of its own"),
        ("x", items(a__={"value": "1"}), "a.", "parts of a key"),
        ("x", {"format": "properties", "items": {"": {"value": "1"}}}, "", "not empty"),
        ("x", {"format": "properties", "items": {" a": {"value": "1"}}}, " a", "space"),
        ("x", {"format": "properties", "items": {"a\n": {"value": "1"}}}, r"'a\n'", "printed"),
        ("x", {"format": "properties", "items": {"k" * 257: {"value": "1"}}}, "k" * 80 + "…", "257 characters"),
        ("x", document("yaml", '"a\\n": 1'), r"'a\n'", "can be printed"),
        ("x", document("json", '{"b": [{"' + "k" * 257 + '": 1}]}'), "b.0." + "k" * 80 + "…", "256"),
    ],
)
def test_each_problem_is_named(name, body, path, words):
    found = checks.check(name, body)
    assert [problem for problem in found if problem.path == path and words in problem.message], found


def test_syntax_errors_keep_their_place():
    (problem,) = checks.check("x", document("yaml", "a: 1\na: 2"))
    assert (problem.line, problem.column) == (2, 1)


def test_all_problems_are_listed_at_once():
    found = checks.check("x", items(a={"value": "x", "type": "number"}, b={"value": "x", "type": "boolean"}))
    assert {problem.path for problem in found} == {"a", "b"}


def test_limits_are_the_callers():
    limits = NamespaceLimits(item_bytes=10, namespace_bytes=100, keys=3)
    assert "one may have 10" in checks.check("x", items(a={"value": "é" * 6}), limits)[0].message
    four = items(a={"value": ""}, b={"value": ""}, c={"value": ""}, d={"value": ""})
    assert "4 keys" in checks.check("x", four, limits)[0].message
    assert "4 settings" in checks.check("x", document("json", '{"a":1,"b":2,"c":3,"d":4}'), limits)[0].message
    assert "namespace may have 100" in checks.check("x", document("text", "x" * 101), limits)[0].message
    with_comment = items(a={"value": "", "comment": "c" * 101})
    assert "namespace may have 100" in checks.check("x", with_comment, limits)[0].message


@pytest.mark.parametrize("kind", ["yaml", "json", "toml", "text"])
def test_forty_megabytes_are_refused_before_anything_is_parsed(kind, monkeypatch):
    def never(*_arguments):
        raise AssertionError("it was parsed")

    monkeypatch.setattr(documents, "parse", never)
    (problem,) = checks.check("x", document(kind, "[" * (40 << 20)))
    assert "41943040 bytes" in problem.message
    (problem,) = checks.check("x", document(kind, hidden("[" * (40 << 20))))
    assert "41943040 bytes" in problem.message
    whole = items(a={"value": "[" * (40 << 20), "type": "json"})
    assert len(checks.check("x", whole)) == 2


LEAKS = [
    items(password={"value": hidden(f'{{"{SECRET}": {SECRET}}}'), "type": "json"}),
    items(password={"value": hidden(f'{{"{SECRET}": 1, "{SECRET}": 2}}'), "type": "json"}),
    items(password={"value": hidden(SECRET), "type": "number"}),
    items(password={"value": hidden(SECRET), "type": "boolean"}),
    document("yaml", hidden(f"{SECRET}: 1\n{SECRET}: 2")),
    document("yaml", hidden(f"a: *{SECRET}")),
    document("yaml", hidden(f"a: !{SECRET} x")),
    document("yaml", hidden(f"? [{SECRET}]\n: x")),
    document("json", hidden(f"{SECRET}")),
    document("toml", hidden(f"a = {SECRET}")),
    document("toml", hidden(f"[{SECRET}]\n[{SECRET}]")),
    {**document("json", hidden(f'{{"{SECRET}": "{SECRET}"}}')), "schema": '{"additionalProperties": false}'},
    {**document("json", hidden(f'{{"a": "{SECRET}"}}')), "schema": '{"properties": {"a": {"type": "integer"}}}'},
    {**items(password={"value": hidden(SECRET)}), "schema": '{"properties": {"password": {"const": "x"}}}'},
]


@pytest.mark.parametrize("body", LEAKS)
def test_no_problem_tells_a_secret(body):
    found = checks.check("x", body)
    assert found
    assert all(SECRET not in str(problem) for problem in found)


@given(st.text(min_size=3, max_size=30).filter(lambda text: text.strip()), st.sampled_from(["yaml", "json", "toml"]))
def test_no_problem_tells_a_random_secret(text, kind):
    marked = f"{SECRET}{text}{SECRET}"
    schema = '{"type": "array", "minItems": 99}'
    for body in (document(kind, hidden(marked), schema=schema), items(a={"value": hidden(marked), "type": "json"})):
        assert all(SECRET not in str(problem) for problem in checks.check("x", body))


def test_a_secret_that_is_not_open_is_not_judged():
    body = items(password={"value": {"$secret": {"mask": "••••"}}, "type": "number"})
    body["schema"] = '{"properties": {"password": {"type": "string"}}}'
    assert checks.check("x", body) == []
    assert checks.check("x", document("yaml", {"$secret": {"mask": "••••"}})) == []


types = st.sampled_from(["string", "number", "boolean", "json"])


@given(
    st.dictionaries(
        st.text(max_size=6), st.fixed_dictionaries({"value": st.text(max_size=6), "type": types}), max_size=4
    ),
    st.text(max_size=30),
)
def test_any_body_is_judged_not_tripped_over(some, schema):
    assert isinstance(checks.check("x", {"format": "properties", "items": some, "schema": schema}), list)
