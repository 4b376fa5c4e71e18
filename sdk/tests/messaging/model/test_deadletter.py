"""Dead letters: what tells causes apart, and what tells letters apart."""

from __future__ import annotations

import traceback
import uuid

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.model import DeadLetter, Frame
from qiantang.messaging.model.deadletter import fingerprint, steady

STACK = """Traceback (most recent call last):
  File "/srv/{place}/site-packages/qiantang/messaging/client/working.py", line {line}, in _call
    answer = await call(*arguments)
  File "/srv/{place}/shop/billing.py", line {line}, in bill
    raise ValueError("order {line}")
ValueError: order {line}
"""
numbers = st.integers(0, 10**12)
names = st.text("abcdefghijkl./-_", min_size=1, max_size=12)


@given(numbers, numbers, st.uuids(), st.uuids())
def test_messages_and_lines_and_machines_make_no_other_cause(
    one: int, other: int, first: uuid.UUID, second: uuid.UUID
) -> None:
    def of(number: int, id: uuid.UUID) -> str:
        stack = STACK.format(place=f"app-{id}", line=number)
        return fingerprint("billing", "orders", f"ValueError: order {number} of {id} at {number:#x}", stack)

    assert of(one, first) == of(other, second)


@given(numbers, numbers, st.uuids(), st.uuids())
def test_without_a_stack_the_words_count_without_numbers_and_ids(
    one: int, other: int, first: uuid.UUID, second: uuid.UUID
) -> None:
    def of(number: int, id: uuid.UUID) -> str:
        return fingerprint("g", "t", f"no customer {number} with id {id}, seen at {number:#x}", "")

    assert of(one, first) == of(other, second)
    assert of(one, first) != fingerprint("g", "t", f"no order {one} with id {first}, seen at {one:#x}", "")


@given(st.tuples(names, names, names, names), st.tuples(names, names, names, names))
def test_group_topic_kind_and_place_make_causes(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    def of(said: tuple[str, str, str, str]) -> str:
        group, topic, kind, function = said
        stack = f'  File "/x/y.py", line 3, in f{function}\n'
        return fingerprint(group, topic, f"E{kind.translate(str.maketrans('./-', 'xyz'))}: 1", stack)

    def plain(said: tuple[str, str, str, str]) -> tuple[str, str, str, str]:
        return (*said[:2], said[2].translate(str.maketrans("./-", "xyz")), said[3])

    assert (of(one) == of(other)) == (plain(one) == plain(other))


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_whatever_stands_there_it_is_sixteen_signs(error: str, stack: str) -> None:
    found = fingerprint("g", "t", error, stack)
    assert len(found) == 16
    assert found == fingerprint("g", "t", error, stack)
    assert len(steady(error)) <= 200


def test_of_a_chain_the_last_error_counts_however_deep_it_was_called() -> None:
    def fails(depth: int) -> None:
        if depth:
            fails(depth - 1)
        raise KeyError(depth)

    def stack(depth: int, before: Exception | None) -> str:
        try:
            try:
                if before is not None:
                    raise before
            finally:
                fails(depth)
        except KeyError as error:
            return "".join(traceback.format_exception(error))
        raise AssertionError

    seven, nine = stack(7, ValueError("x")), stack(9, None)
    assert fingerprint("g", "t", "KeyError: 0", seven) == fingerprint("g", "t", "KeyError: 0", nine)


def test_a_letter_is_itself_however_often_it_comes_and_no_other() -> None:
    frame = Frame(topic="dead.g", id="a", body=b"1")
    one = DeadLetter(topic="t", group="g", id="a", at=1700000000.123, queue="0", position=7, error="x", frame=frame)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=DeadLetter)
    assert msgspec.structs.replace(again, number=9).mark == one.mark
    others = [
        msgspec.structs.replace(one, **{name: value})
        for name, value in {
            "topic": "u",
            "group": "h",
            "id": "b",
            "at": 1700000000.125,
            "queue": "1",
            "position": 8,
            "frame": msgspec.structs.replace(frame, body=b"2"),
        }.items()
    ]
    assert len({one.mark, *(other.mark for other in others)}) == 1 + len(others)
    assert not one.was_refused
    assert msgspec.structs.replace(one, queue="", position=-1).was_refused
