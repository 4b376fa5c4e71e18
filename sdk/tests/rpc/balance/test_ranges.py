"""Ranges of versions and of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang.rpc.balance import ranges

NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.2,<2", ["1.2", "1.2.0", "v1.9.9", "1.10", "1.3.0-rc.1"], ["1.1.9", "2", "2.0.0", "2.0-rc.1", "x", ""]),
        ("1.4.0", ["1.4", "1.4.0+build7"], ["1.4.1", "1.4-rc"]),
        ("!=1.4", ["1.5", "1.4-rc"], ["1.4.0", "blue"]),
        ("> 1, <= 1.5", ["1.0.1", "1.5"], ["1", "1.5.1"]),
        (">=2.0-rc.2", ["2.0-rc.10", "2.0"], ["2.0-rc.1", "2.0-beta"]),
        ("<2.0-rc.1", ["2.0-beta"], ["2.0-rc.1", "2.0"]),
    ],
)
def test_versions_compare_as_versions(text: str, inside: list[str], outside: list[str]) -> None:
    fits = ranges.compiled(text, ranges.version)
    assert [one for one in inside + outside if fits(one)] == inside


def test_numbers_compare_as_numbers() -> None:
    fits = ranges.compiled(">=9,<10.5", ranges.number)
    assert [one for one in ("9", "10", "10.25", "10.5", "8.99", "-9", "nan", "1e1", "٩") if fits(one)] == [
        "9",
        "10",
        "10.25",
    ]


@pytest.mark.parametrize("text", ["", ",", ">=", "=>1", ">=1,,<2", ">=1 <2", "~1.2", ">=a", "1.2.x", "1" * 30])
def test_what_is_no_range_is_told(text: str) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        ranges.compiled(text, ranges.version)
    assert repr(text) in caught.value.detail


@given(NUMBERS, NUMBERS)
def test_order_is_that_of_the_numbers(one: list[int], other: list[int]) -> None:
    def padded(numbers: list[int]) -> list[int]:
        return numbers + [0] * (4 - len(numbers))

    text = [".".join(map(str, numbers)) for numbers in (one, other)]
    assert ranges.compiled(f"<{text[1]}", ranges.version)(text[0]) == (padded(one) < padded(other))
    assert ranges.compiled(f"={text[1]}", ranges.version)(text[0]) == (padded(one) == padded(other))


@given(st.text(max_size=40))
def test_any_text_has_a_rank_or_none_and_ranks_compare(text: str) -> None:
    rank = ranges.version(text)
    assert rank is None or rank >= ((0,), -1, ())
