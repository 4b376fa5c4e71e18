"""Every format: round trips, errors with their place, and only errors from our tree whatever the input."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qiantang.config.model import tree
from qiantang.kernel import errors
from qiantang_server.config.rules import documents
from qiantang_server.config.rules.documents import properties_syntax, toml_syntax, yaml_syntax
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits

characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=12) | st.sampled_from(
    ["yes", "no", "null", "~", "0755", "1e3", "0x1F", "0o17", ".5", "1_000", "12:30", "<<", "=", "- a", "# x", "a: b", "",
     " lead", "trail ", "two\nlines", "tail\n", "\n", "\t", "2026-08-01", "true", "'", '"', "\\", "\x85", "\ufeff"]
)  # fmt: skip
keys = st.text(characters, max_size=6) | texts
integers = st.integers(-(2**63), 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)


def trees(scalars):
    inner = st.recursive(
        scalars,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3),
        max_leaves=12,
    )
    return st.dictionaries(keys, inner, max_size=4)


full = trees(st.none() | st.booleans() | integers | floats | texts)
without_null = trees(st.booleans() | integers | floats | texts)


def problem_of(kind, text, limits=DEFAULT):
    with pytest.raises(documents.DocumentError) as caught:
        documents.parse(kind, text, limits)
    (problem,) = caught.value.problems
    return problem


@given(full)
def test_json_round_trip(whole):
    assert tree.same(documents.parse("json", documents.emit("json", whole), DEFAULT).data, whole)


@given(full)
def test_yaml_round_trip(whole):
    assert tree.same(documents.parse("yaml", documents.emit("yaml", whole), DEFAULT).data, whole)


@given(without_null)
def test_toml_round_trip(whole):
    assert tree.same(documents.parse("toml", documents.emit("toml", whole), DEFAULT).data, whole)


comments = st.lists(st.text(characters.filter(lambda c: c not in "\r\n"), max_size=8), max_size=3).map("\n".join)


@given(st.dictionaries(keys, st.tuples(texts, comments), max_size=5))
def test_properties_round_trip_with_comments(items):
    written = [properties_syntax.Property(key, value, note) for key, (value, note) in items.items()]
    read = properties_syntax.parse(properties_syntax.emit(written), documents.Budget.of(DEFAULT))
    assert [(each.key, each.value, each.comment) for each in read] == [
        (each.key, each.value, each.comment) for each in written
    ]


@given(full)
def test_yaml_reads_what_json_writes(whole):
    text = json.dumps(whole, ensure_ascii=False)
    assume(not re.search("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", text))  # breaks and controls to YAML alone
    try:
        read = documents.parse("yaml", text, DEFAULT).data
    except documents.DocumentError as error:
        assert "does not allow" in str(error)
        return
    assert tree.same(read, whole)


@given(st.sampled_from(["properties", "yaml", "json", "toml"]), st.binary(max_size=200))
def test_random_bytes_give_a_tree_or_our_errors(kind, data):
    text = data.decode("utf-8", "surrogateescape")
    try:
        documents.parse(kind, text, DEFAULT)
    except errors.InvalidRequestError as error:
        assert error.problems


fragments = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ":", ",", '"', "'", "a", "b.c", "\n", " ", "  ", "- ", "&x ", "*x", "<<", "!!", "!t ", "|", ">",
         "#", "=", "[[", "]]", '"""', "'''", "\\", "\\u00", "1", "-", "e9", "inf", "2026-01-01", "---", "...", "?", "%YAML 1.1",
         "\t", "\x00", "\ud800", "é", "\U0001f600"]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@given(st.sampled_from(["properties", "yaml", "json", "toml"]), fragments)
def test_broken_syntax_gives_a_tree_or_our_errors(kind, text):
    try:
        read = documents.parse(kind, text, DEFAULT)
    except errors.InvalidRequestError as error:
        assert error.problems
        return
    json.loads(json.dumps(read.data, allow_nan=False))


@given(fragments)
def test_json_takes_nothing_that_python_refuses(text):
    try:
        read = documents.parse("json", text, DEFAULT).data
    except errors.InvalidRequestError:
        return
    assert tree.same(json.loads(text), read)


@pytest.mark.parametrize(
    ("kind", "text", "place", "words"),
    [
        ("json", "", (1, 1), "end of the text"),
        ("json", '{\n  "a": 1,\n  "a": 2}', (3, 3), "twice"),
        ("json", '{"a": 1,}', (1, 9), "key in double quotes"),
        ("json", '{"a" 1}', (1, 6), "':'"),
        ("json", '{"a": [1 2]}', (1, 10), "','"),
        ("json", '{"a": NaN}', (1, 7), "NaN"),
        ("json", '{"a": -Infinity}', (1, 7), "Infinity"),
        ("json", '{"a": 1e999}', (1, 7), "too large"),
        ("json", '{"a": 18446744073709551616}', (1, 7), "64 bits"),
        ("json", '{"a": 01}', (1, 7), "01"),
        ("json", '{"a": "x\ty"}', (1, 7), "control character"),
        ("json", '{"a": "\\x"}', (1, 7), "wrong escape"),
        ("json", '{"a": "\\ud800"}', (1, 7), "surrogate"),
        ("json", "{} {}", (1, 4), "after the end"),
        ("json", "[" * 65 + "]" * 65, (1, 65), "64 levels"),
        ("yaml", "a: 1\nb: [1,\n", (3, 1), "flow"),
        ("yaml", "a: 1\n a: 2\nb", (2, 3), "not allowed"),
        ("yaml", "a: 1\nb: 2\na: 3\n", (3, 1), "twice"),
        ("yaml", "a: *x", (1, 4), "anchor"),
        ("yaml", "a: &x [*x]", (1, 8), "anchor"),
        ("yaml", "a: !!python/object:os.system x", (1, 4), "tag"),
        ("yaml", "a: !!binary aGk=", (1, 4), "tag"),
        ("yaml", "? [1]\n: 2", (1, 3), "key"),
        ("yaml", "a: .nan", (1, 4), "JSON has no such"),
        ("yaml", "a: -.inf", (1, 4), "JSON has no such"),
        ("yaml", "a: 99999999999999999999", (1, 4), "64 bits"),
        ("yaml", "a: !!int x", (1, 4), "type"),
        ("yaml", "<<: 5\na: 1", (1, 5), "'<<'"),
        ("yaml", "a: 1\n---\nb: 2", (2, 1), "second document"),
        ("yaml", "a: \x01", (1, 4), "not allow"),
        ("yaml", "é: \x01", (1, 4), "not allow"),
        ("toml", "a = 1\na = 2\n", (2, 6), "overwrite"),
        ("toml", "a = \n", (1, 5), "value"),
        ("toml", 'a = "x', (1, 7), "nterminated"),
        ("toml", "x = 1\n[t]\na = inf", (3, 1), "JSON has no such"),
        ("toml", "a = 99999999999999999999", (1, 1), "64 bits"),
        ("toml", "a = " + "[" * 65 + "]" * 65, (1, 69), "64 levels"),
        ("toml", "\n" + ".".join("a" * 70) + " = 1", (2, 1), "64 levels"),
        ("properties", "a=1\n# c\nb=\\u12\n", (3, 1), "hexadecimal"),
        ("properties", "a=1\n  a=2", (2, 3), "twice"),
        ("properties", "a=\\ud83d", (1, 1), "surrogate"),
        ("json", '"\ud800"', (1, 2), "surrogate"),
    ],
)
def test_errors_have_their_place(kind, text, place, words):
    problem = problem_of(kind, text)
    assert words in problem.message
    assert (problem.line, problem.column) == place


def test_yaml_reads_the_core_schema():
    text = """
        yes: yes
        no: NO
        on: on
        t: TRUE
        nothing:
        tilde: ~
        dec: 12
        neg: -3
        hex: 0x1F
        oct: 0o17
        mode: 0755
        real: 1.5e3
        point: .5
        date: 2026-08-01
        stamp: 2026-08-01T10:00:00Z
        time: 12:30
        quoted: "12"
        tagged: !!str 12
        real_tag: !!float 3
        8080: port
        null: key
    """
    assert documents.parse("yaml", text, DEFAULT).data == {
        "yes": "yes", "no": "NO", "on": "on", "t": True, "nothing": None, "tilde": None, "dec": 12, "neg": -3, "hex": 31,
        "oct": 15, "mode": "0755", "real": 1500.0, "point": 0.5, "date": "2026-08-01", "stamp": "2026-08-01T10:00:00Z",
        "time": "12:30", "quoted": "12", "tagged": "12", "real_tag": 3.0, "8080": "port", "null": "key",
    }  # fmt: skip


def test_yaml_merge_keys():
    text = """
        base: &base {a: 1, b: 1, c: 1}
        more: &more {b: 2, d: 2}
        one: {<<: *base, a: 0}
        two: {a: 0, <<: [*more, *base]}
        three: {"<<": text}
    """
    read = documents.parse("yaml", text, DEFAULT).data
    assert read["one"] == {"a": 0, "b": 1, "c": 1}
    assert read["two"] == {"a": 0, "b": 2, "c": 1, "d": 2}
    assert read["three"] == {"<<": "text"}


@pytest.mark.parametrize(
    ("kind", "text"), [("yaml", ""), ("yaml", "# only this\n"), ("toml", ""), ("properties", "\n#x\n\n")]
)
def test_an_empty_document_is_an_empty_mapping(kind, text):
    assert documents.parse(kind, text, DEFAULT).data == {}


def test_toml_dates_are_text_and_keys_have_their_places():
    text = (
        'title = "x"\n[a.b]\n  when = 2026-08-01T10:00:00Z\n  days = [\n  [1],\n  [2] ]\n'
        "[[list]]\nn = 1\n[[list]]\nn = 10:30:00\n[list.sub]\n'q.q' = 1\n"
    )
    read = documents.parse("toml", text, DEFAULT)
    assert read.data["a"]["b"] == {"when": "2026-08-01T10:00:00+00:00", "days": [[1], [2]]}
    assert read.data["list"][1]["n"] == "10:30:00"
    assert documents.locate(read.mark, ["a", "b", "when"]) == (3, 3)
    assert documents.locate(read.mark, ["a", "b", "days", 1, 0]) == (4, 3)
    assert documents.locate(read.mark, ["list", 1, "n"]) == (10, 1)
    assert documents.locate(read.mark, ["list", 1, "sub", "q.q"]) == (12, 1)


def test_toml_strings_hide_what_is_in_them():
    deep = ".".join("a" * 100) + "[" * 100
    text = f'a = """{deep}"""""\nb = \'\'\'{deep}\'\'\'\nc = "{deep}\\"{deep}"\nd = \'{deep}\' # {deep}\n'
    assert documents.parse("toml", text, DEFAULT).data["a"] == deep + '""'


def test_yaml_and_json_know_the_place_of_each_value():
    for kind, text in (("yaml", "a:\n  - x\n  - b: 1\n"), ("json", '{"a":\n ["x",\n {"b": 1}]}')):
        read = documents.parse(kind, text, DEFAULT)
        assert documents.locate(read.mark, ["a", 1, "b"]).line == 3
        assert documents.locate(read.mark, ["a", 1, "zzz"]).line == 3
        assert documents.locate(None, ["a"]) == (0, 0)


def test_properties_syntax_of_java():
    text = (
        "! first\n#second\n\n   k1 : v1 \nk2 v2\nk3=\n  k4\\ x\\=\\: = a\\tb\\\n     c\\\n\nk5=\\u4e2d\\ud83d\\ude00\\z\n"
        "path=C:\\\\tmp\n#trailing\n"
    )
    read = properties_syntax.parse(text, documents.Budget.of(DEFAULT))
    assert [(each.key, each.value) for each in read] == [
        ("k1", "v1 "),
        ("k2", "v2"),
        ("k3", ""),
        ("k4 x=:", "a\tbc"),
        ("k5", "中\U0001f600z"),
        ("path", "C:\\tmp"),
    ]
    assert read[0].comment == "first\nsecond"
    assert read[3].place == (7, 3)


def test_what_toml_cannot_write_is_said():
    with pytest.raises(toml_syntax.NotInTomlError, match=r"a\.b is null"):
        documents.emit("toml", {"a": {"b": None}})
    with pytest.raises(toml_syntax.NotInTomlError, match="table at the top"):
        documents.emit("toml", [1])


def test_yaml_writes_so_that_readers_of_version_1_1_agree():
    import yaml

    whole = {"a": "yes", "b": "0755", "c": "1e3", "d": "12:30", "e": "2026-08-01", "f": "0o17", "g": "=", "h": 1e300}
    assert yaml.safe_load(documents.emit("yaml", whole)) == whole


def test_a_document_never_shows_its_data():
    assert "hunter2" not in repr(documents.parse("text", "hunter2", DEFAULT))


def test_an_over_large_document_is_refused_before_it_is_read(monkeypatch):
    def never(*_arguments):
        raise AssertionError("it was read")

    monkeypatch.setattr(yaml_syntax, "_events", never)
    for kind in ("yaml", "json", "toml", "properties", "text"):
        with pytest.raises(documents.DocumentTooLargeError, match="1048576"):
            documents.parse(kind, "a" * (40 << 20), DEFAULT)
    with pytest.raises(documents.DocumentTooLargeError):
        documents.parse("text", "é" * 600, NamespaceLimits(namespace_bytes=1000))


def test_too_many_values_are_refused():
    limits = NamespaceLimits(nodes=10)
    for kind, text in (
        ("yaml", "[1,2,3,4,5,6,7,8,9,10,11]"),
        ("json", "[1,2,3,4,5,6,7,8,9,10,11]"),
        ("toml", "a=[1,2,3,4,5,6,7,8,9,10,11]"),
        ("properties", "\n".join(f"k{i}=1" for i in range(11))),
    ):
        assert "too many values" in problem_of(kind, text, limits).message
