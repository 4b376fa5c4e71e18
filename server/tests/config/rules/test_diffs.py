"""What changed, by key and by line, without telling a secret."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.config.rules import diffs


def hidden(value, mask):
    return {"$secret": {"value": value, "mask": mask}}


def seen(before, after):
    return [
        (change.key, change.aspect, change.action, change.before, change.after)
        for change in diffs.compare(before, after).changes
    ]


def test_properties_by_key():
    before = {
        "format": "properties",
        "items": {"a": {"value": "1"}, "b": {"value": "2", "comment": "old"}, "c": {"value": "3"}},
        "description": "d",
    }
    after = {
        "format": "properties",
        "items": {"a": {"value": "1", "type": "number"}, "b": {"value": "2", "comment": "new"}, "e": {"value": "5"}},
        "public": True,
        "schema": "{}",
    }
    assert seen(before, after) == [
        ("public", "setting", "added", None, True),
        ("description", "setting", "removed", "d", None),
        ("", "schema", "added", None, "{}"),
        ("a", "type", "changed", "string", "number"),
        ("b", "comment", "changed", "old", "new"),
        ("c", "value", "removed", "3", None),
        ("e", "value", "added", None, "5"),
    ]
    assert [change.path for change in diffs.differences(before, after)] == [
        "#public", "#description", "#schema", "a#type", "b#comment", "c", "e",
    ]  # fmt: skip
    assert seen(before, before) == []


def test_documents_by_leaf_and_by_line():
    before = {"format": "yaml", "document": "a: 1\nb:\n  c: x\n"}
    after = {"format": "yaml", "document": "a: 1.0\nb:\n  d: null\n"}
    assert seen(before, after) == [
        ("a", "value", "changed", 1, 1.0),
        ("b.c", "value", "removed", "x", None),
        ("b.d", "value", "added", None, None),
    ]
    assert diffs.compare(before, after).text.split("\n")[1:] == [
        "-a: 1",
        "+a: 1.0",
        " b:",
        "-  c: x",
        "+  d: null",
        " ",
    ]


def test_a_document_that_differs_in_writing_alone_has_changed():
    before, after = {"format": "yaml", "document": "a: 1"}, {"format": "yaml", "document": "# note\na: 1"}
    assert [(key, aspect) for key, aspect, *_ in seen(before, after)] == [("", "document")]
    assert [change.path for change in diffs.differences(before, after)] == ["#document"]


def test_from_nothing_and_to_nothing():
    body = {"format": "json", "document": '{"a": 1}'}
    assert seen(None, body) == [("format", "setting", "added", None, "json"), ("a", "value", "added", None, 1)]
    assert seen(body, None) == [("format", "setting", "removed", "json", None), ("a", "value", "removed", 1, None)]
    assert diffs.compare(None, body).text == '@@ -0,0 +1 @@\n+{"a": 1}'
    assert seen(None, None) == []


def test_what_cannot_be_read_changes_as_a_whole():
    before, after = {"format": "yaml", "document": "a: ["}, {"format": "yaml", "document": "a: 1"}
    assert seen(before, after) == [("", "document", "changed", "a: [", "a: 1")]


def test_secrets_show_their_masks_alone():
    before = {"format": "properties", "items": {"p": {"value": hidden("hunter2", "h•2")}, "q": {"value": "x"}}}
    after = {
        "format": "properties",
        "items": {"p": {"value": hidden("swordfish", "s•h")}, "q": {"value": hidden("y", "•")}},
    }
    difference = diffs.compare(before, after)
    assert [(change.key, change.secret, change.before, change.after) for change in difference.changes] == [
        ("p", True, {"$secret": {"mask": "h•2"}}, {"$secret": {"mask": "s•h"}}),
        ("q", True, "x", {"$secret": {"mask": "•"}}),
    ]
    assert "hunter2" not in repr(difference)
    document = {"format": "yaml", "document": hidden("a: hunter2", "•1")}
    other = {"format": "yaml", "document": hidden("a: swordfish", "•2")}
    whole = diffs.compare(document, other)
    assert whole.text == ""
    assert "hunter2" not in repr(whole)
    assert "swordfish" not in repr(whole)
    opened = diffs.compare(document, {"format": "yaml", "document": "a: open"})
    assert "hunter2" not in repr(opened)


def test_very_long_documents_have_no_line_diff():
    before, after = {"format": "text", "document": "x\n" * 30_000}, {"format": "text", "document": "y"}
    assert "more than 20000 lines" in diffs.compare(before, after).text


bodies = st.dictionaries(
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {
            "value": st.sampled_from(["1", "2"]),
            "type": st.sampled_from(["string", "json"]),
            "comment": st.sampled_from(["", "c"]),
        }
    ),
).map(lambda items: {"format": "properties", "items": items})


@given(bodies, bodies)
def test_no_changes_means_equal(before, after):
    assert (seen(before, after) == []) is (before == after)
    assert len(seen(before, after)) == len(seen(after, before))
