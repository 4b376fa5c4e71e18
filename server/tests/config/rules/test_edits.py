"""Line edits lead from one side to the other, by the shortest way, in bounded time."""

from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.config.rules import edits

lines = st.lists(st.sampled_from("abcd"), max_size=14)


@given(lines, lines)
def test_edits_hold_both_sides(before, after):
    found = edits.edits(before, after)
    assert [edit.line for edit in found if edit.kind != "+"] == before
    assert [edit.line for edit in found if edit.kind != "-"] == after
    for edit in found:
        if edit.kind != "+":
            assert before[edit.before] == edit.line
        if edit.kind != "-":
            assert after[edit.after] == edit.line


@given(lines, lines)
def test_edits_are_the_fewest(before, after):
    longest = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, line in enumerate(before):
        for j, other in enumerate(after):
            longest[i + 1][j + 1] = longest[i][j] + 1 if line == other else max(longest[i][j + 1], longest[i + 1][j])
    found = edits.edits(before, after)
    assert sum(edit.kind != " " for edit in found) == len(before) + len(after) - 2 * longest[-1][-1]


def test_a_unified_diff_reads_as_the_usual_one():
    before = [f"line {n}" for n in range(40)]
    after = [*before[:3], "new", *before[3:20], *before[21:39], "last"]
    usual = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    assert edits.unified(before, after).split("\n") == usual
    assert edits.unified([], ["a"]) == "@@ -0,0 +1 @@\n+a"
    assert edits.unified(["a"], []) == "@@ -1 +0,0 @@\n-a"
    assert edits.unified(before, before) == ""


def test_wholly_different_texts_are_shown_as_replaced():
    before, after = [f"a{n}" for n in range(5000)], [f"b{n}" for n in range(5000)]
    found = edits.edits(["same", *before, "end"], ["same", *after, "end"])
    assert [edit.kind for edit in found] == [" ", *"-" * 5000, *"+" * 5000, " "]
    assert found[5001].after == 1
