"""Patterns of dotted keys, against a plain reading of what they mean."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config.client.patterns import Pattern
from qiantang.kernel import errors


@pytest.mark.parametrize(
    ("pattern", "key", "meant"),
    [
        ("*", "", True), ("*", "a.b", True),
        ("db", "db", True), ("db", "db.url", True), ("db", "dbx", False), ("db", "", False),
        ("db.*", "db.url", True), ("db.*", "db.pool.size", True), ("db.*", "db", False), ("db.*", "dbx.url", False),
        ("db.*.size", "db.pool.size", True), ("db.*.size", "db.pool.size.max", True), ("db.*.size", "db.size", False),
        ("*.url", "db.url", True), ("*.url", "a.b.url", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, key: str, meant: bool) -> None:
    assert Pattern(pattern).matches(key) is meant


@pytest.mark.parametrize("text", ["", ".", "a..b", "db*", "a.*x.b", "a.", "**"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match="not a pattern"):
        Pattern(text)


_steps = st.lists(st.sampled_from(["a", "b", "cc"]), min_size=1, max_size=4)


@given(st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4), _steps)
def test_patterns_mean_what_a_regular_expression_would(pattern: list[str], key: list[str]) -> None:
    below = pattern[-1] == "*"
    steps = [r"[^.]+" if step == "*" else re.escape(step) for step in pattern[: -1 if below else None]]
    meaning = r"\.".join([*steps, r".+"] if below else steps) + ("" if below else r"(\..+)?")
    assert Pattern(".".join(pattern)).matches(".".join(key)) is bool(re.fullmatch(meaning, ".".join(key)))
