"""Patterns mean what ECMA-262 says, and take bounded time whatever they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.config.rules import patterns

atoms = st.sampled_from(
    ["a", "b", "[ab]", "[^a]", ".", r"\d", r"\w", r"\s", r"\bb", "^a", "b$", r"\.", "[a-c-]", "(?:)"]
)
pieces = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@given(pieces, st.text(alphabet="ab1. \n-", max_size=8))
def test_a_pattern_finds_what_the_backtracking_matcher_finds(pattern, text):
    expected = re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None
    assert patterns.Pattern(pattern).search(text) is expected


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("^[a-z]+$", "abc", "abc\n"),
        (r"^\d{3}-\d{4}$", "555-1234", "555-123"),
        ("^(?<year>[0-9]{4})$", "2026", "20261"),
        (r"^\u4e2d\x41\u{1F600}\ud83d\ude00$", "中A\U0001f600\U0001f600", "中A"),
        (r"^[\w.+-]+@[\w-]+\.[\w.]+$", "a.b@c.de", "a.b@c"),
        ("", "", None),
        ("^$", "", "x"),
        ("^a{0}$", "", "a"),
        (r"\Bb", "ab", "b a"),
        (r"^[^\]\\]+$", "[a", "a]"),
        (r"^\cJ$", "\n", "J"),
        ("a{,2}", "a{,2}", "aa"),
        ("[]", None, "a"),
        ("^[^]$", "\n", "ab"),
        (r"^\$[{]\w+[}]$", "${name}", "${}"),
    ],
)
def test_syntax(pattern, found, missed):
    compiled = patterns.compiled(pattern)
    assert found is None or compiled.search(found)
    assert missed is None or not compiled.search(missed)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?=a)b", "ahead or behind"),
        ("(?<!a)b", "ahead or behind"),
        (r"(a)\1", "refers back"),
        (r"\k<x>", "refers back"),
        ("(a", "without its ')'"),
        ("a)", "without its '('"),
        ("[a", "without its ']'"),
        ("*a", "nothing that '*'"),
        ("a**", "two counts"),
        ("^*", "anchor"),
        ("a{3,2}", "wrong way round"),
        ("[b-a]", "wrong ends"),
        (r"[\d-z]", "wrong ends"),
        (r"\p{L}", r"'\p'"),
        ("\\", "escape"),
        (r"\u12", "hexadecimal"),
        ("(?P<x>a)", "not known"),
        ("a{5000}", "repeats too much"),
        ("((a{50}){50}){50}", "repeats too much"),
        ("((((a{9}){9}){9}){9}){9}", "repeats too much"),
        ("(" * 51 + ")" * 51, "groups"),
        ("a" * 1001, "longer"),
    ],
)
def test_what_is_refused(pattern, words):
    with pytest.raises(patterns.PatternError, match=re.escape(words)):
        patterns.Pattern(pattern)


@given(st.text(alphabet=r"ab(){}[]|*+?^$\.,-:<=!12ux", max_size=20))
def test_any_text_is_a_pattern_or_refused(text):
    try:
        patterns.Pattern(text).search("ab12" * 5)
    except patterns.PatternError as error:
        assert error.detail


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(x+x+)+y", "^(a*)*b", "(.*)*(.*)*=", "^[ab]*a[ab]{200}c"]
)
def test_what_is_catastrophic_elsewhere_takes_few_steps_here(pattern):
    steps = 0

    def spend(count):
        nonlocal steps
        steps += count

    text = "ab" * 5000 if "[ab]" in pattern else "a" * 10_000
    assert not patterns.Pattern(pattern).search(text + "!", spend) or pattern.endswith("*=")
    assert steps <= 60 * len(text)


def test_a_text_too_long_to_match_is_refused():
    with pytest.raises(patterns.PatternError, match="too long"):
        patterns.Pattern("a").search("b" * (patterns.MAX_TEXT + 1))
