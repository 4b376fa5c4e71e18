"""What a change of a definition means for those who call it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qiantang.catalog.model.compatibility import compare, is_breaking, same_major
from qiantang.rpc.model.definition import (
    MethodDocument,
    MethodOptions,
    ServiceDocument,
    definition_of,
    document_of,
    service,
)
from sdk.tests.catalog.model.shop import ORDERS, document


def struct(**fields: Any) -> type[msgspec.Struct]:
    """Make a struct; a tuple is a type with its default. All are called the same, as versions of one are."""
    return msgspec.defstruct(
        "Body", [(name, *one) if isinstance(one, tuple) else (name, one) for name, one in fields.items()]
    )


def told(before: ServiceDocument, after: ServiceDocument) -> list[str]:
    return [str(one) for one in compare(before, after)]


def levels(before: ServiceDocument, after: ServiceDocument) -> list[str]:
    return [one.level for one in compare(before, after)]


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True):
    name: str


class Pair(msgspec.Struct, array_like=True):
    one: int


class LongPair(msgspec.Struct, array_like=True):
    one: int
    two: int = 0


class Loose(TypedDict, total=False):
    one: int


def feeding(item: Any) -> ServiceDocument:
    """Make a service whose one method takes a stream of these items."""

    async def feed(self: Any, items: Any) -> int: ...

    feed.__annotations__ = {"items": AsyncIterator[item], "return": int}
    return document_of(definition_of(service("t.Feed")(type("Made", (), {"feed": feed}))))


def test_items_of_a_stream_are_compared_as_what_is_taken() -> None:
    one = feeding(struct(number=int))
    assert levels(one, feeding(struct(number=int, note=(str, "")))) == ["compatible"]
    assert is_breaking(compare(one, feeding(struct(number=int, note=str)))), "callers do not send it yet"
    assert is_breaking(compare(one, feeding(struct(number=str))))
    assert is_breaking(compare(feeding(int), document(int, int, name="t.Feed")))


TEXT = Annotated[str, msgspec.Meta(max_length=5)]
LONGER = Annotated[str, msgspec.Meta(max_length=9)]
PATTERN = Annotated[str, msgspec.Meta(pattern="^a$")]

TAKEN: list[tuple[Any, Any, str]] = [
    # before, after, what it means where it is taken; where it is given every change of a type is breaking
    (int, float, "compatible"),
    (float, int, "breaking"),
    (int, int | None, "compatible"),
    (int | None, int, "breaking"),
    (int, str, "breaking"),
    (str, bytes, "breaking"),
    (int, Any, "compatible"),
    (Any, int, "breaking"),
    (Literal["a"], Literal["a", "b"], "compatible"),
    (Literal["a", "b"], Literal["a"], "breaking"),
    (Literal["a", "b"], str, "compatible"),
    (Literal[1, 2], int, "compatible"),
    (Literal[1, "a"], int, "breaking"),
    (str, Literal["a"], "breaking"),
    (TEXT, LONGER, "compatible"),
    (LONGER, TEXT, "breaking"),
    (TEXT, str, "compatible"),
    (str, TEXT, "breaking"),
    (Annotated[int, msgspec.Meta(ge=1)], Annotated[int, msgspec.Meta(ge=0)], "compatible"),
    (Annotated[int, msgspec.Meta(ge=0)], Annotated[int, msgspec.Meta(ge=1)], "breaking"),
    (PATTERN, str, "compatible"),
    (PATTERN, Annotated[str, msgspec.Meta(pattern="^b$")], "unclear"),
    (list[int], list[float], "compatible"),
    (list[int], set[int], "breaking"),
    (dict[str, int], dict[str, str], "breaking"),
    (list[list[int]], list[list[int | None]], "compatible"),
    (Cat, Cat | Dog, "compatible"),
    (Cat | Dog, Cat, "breaking"),
    (Cat, Dog, "breaking"),
    (tuple[int, str], tuple[int, int], "breaking"),
    (tuple[int, str], tuple[int], "breaking"),
    (tuple[int], tuple[int, int], "breaking"),
    (Pair, LongPair, "compatible"),
    (LongPair, Pair, "breaking"),
    (Loose, int, "breaking"),
]


@pytest.mark.parametrize(("before", "after", "level"), TAKEN, ids=lambda one: str(one)[:40])
def test_what_is_taken_may_become_wider_and_nothing_else(before: Any, after: Any, level: str) -> None:
    found = levels(document(before), document(after))
    assert found
    assert found[0] == level, told(document(before), document(after))


@pytest.mark.parametrize(("before", "after", "level"), TAKEN, ids=lambda one: str(one)[:40])
def test_what_is_given_may_not_change_its_type(before: Any, after: Any, level: str) -> None:
    array = (before, after) == (Pair, LongPair)
    wanted = {"unclear": "unclear"}.get(level, "compatible" if array else "breaking")
    assert levels(document(gives=before), document(gives=after))[0] == wanted


@pytest.mark.parametrize(
    ("before", "after", "taken", "given"),
    [
        ({"a": int, "b": int}, {"a": int}, "breaking", "breaking"),
        ({"a": int}, {"a": int, "b": int}, "breaking", "breaking"),
        ({"a": int}, {"a": int, "b": (int, 1)}, "compatible", "compatible"),
        ({"a": int}, {"a": (int, 1)}, "compatible", "breaking"),
        ({"a": (int, 1)}, {"a": int}, "breaking", "breaking"),
        ({"a": (int, 1)}, {"a": (int, 2)}, "unclear", ""),
        ({"a": list[int]}, {"a": list[float]}, "compatible", "breaking"),
    ],
)
def test_fields_may_be_added_where_they_can_be_left_out(before: Any, after: Any, taken: str, given: str) -> None:
    one, other = struct(**before), struct(**after)
    assert levels(document(one), document(other)) == [taken]
    assert levels(document(gives=one), document(gives=other)) == ([given] if given else [])


def test_a_field_that_was_renamed_is_named_with_what_it_may_be_now() -> None:
    before, after = document(struct(a=str)), document(struct(b=(str, ""), c=(int, 1)))
    assert told(before, after)[0] == "breaking: call.arguments.body.a: the field was removed"
    after = document(struct(b=str))
    assert "breaking: call.arguments.body.a: the field was removed, or renamed to b" in told(before, after)


def test_who_refuses_fields_that_he_does_not_know_is_not_given_new_ones() -> None:
    closed = msgspec.defstruct("Body", [("a", int)], forbid_unknown_fields=True)
    wider = msgspec.defstruct("Body", [("a", int), ("b", int, 1)], forbid_unknown_fields=True)
    assert levels(document(gives=closed), document(gives=wider)) == ["breaking"]
    assert levels(document(closed), document(wider)) == ["compatible"]
    assert levels(document(struct(a=int)), document(closed)) == ["unclear"]
    assert levels(document(closed), document(struct(a=int))) == ["compatible"]


def changed(**options: Any) -> ServiceDocument:
    first, *rest = ORDERS.methods
    return msgspec.structs.replace(
        ORDERS,
        methods=(msgspec.structs.replace(first, options=msgspec.structs.replace(first.options, **options)), *rest),
    )


def test_methods_come_but_do_not_go_and_stay_what_they_may_be_done_with() -> None:
    fewer = msgspec.structs.replace(ORDERS, methods=ORDERS.methods[1:])
    assert told(ORDERS, fewer) == ["breaking: price: the method was removed"]
    assert told(fewer, ORDERS) == ["compatible: price: a method is new"]
    assert told(ORDERS, changed(idempotent=False)) == ["breaking: price: idempotent was true, is false"]
    assert levels(changed(idempotent=False), ORDERS) == ["breaking"]
    assert levels(ORDERS, changed(timeout=9.0, priority="high", hash_key="order")) == ["compatible"] * 3
    assert told(ORDERS, msgspec.structs.replace(ORDERS, group="blue"))[0].startswith("breaking: the group was")
    assert levels(ORDERS, msgspec.structs.replace(ORDERS, description="other", version="9.0.0", digest="")) == []


def test_what_is_breaking_comes_first() -> None:
    before, after = document(struct(a=int, b=int)), document(struct(a=int, c=(int, 1)))
    assert levels(before, after) == ["breaking", "compatible"]
    assert is_breaking(compare(before, after))
    assert not is_breaking(compare(before, before))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.4.0", "1.5.0", True),
        ("1.4.0", "01.9", True),
        ("1.4.0", "2.0.0", False),
        ("2.0.0-rc1", "2.1.0+build.9", True),
        ("0.3.1", "0.3.9", True),
        ("0.3.1", "0.4.0", False),
        ("0.3.1", "1.0.0", False),
        ("0", "0", True),
        ("blue", "blue", True),
        ("blue.1", "green.1", False),
    ],
)
def test_versions_promise_by_their_first_number(one: str, other: str, same: bool) -> None:
    assert same_major(one, other) is same is same_major(other, one)


# -- properties

Tree = tuple[str, Any]
"""A type before it is made: a scalar, or a list, mapping or struct of such, or one of them or null."""
_numbers = itertools.count()
SCALARS = [int, float, str, bool, bytes, TEXT, LONGER, Literal["a", "b"], Literal["a"]]
FIELDS = st.sampled_from(["a", "b", "c"])
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.sampled_from(SCALARS).map(lambda one: ("scalar", one)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["list", "mapping", "optional"]), inner),
        st.dictionaries(FIELDS, st.tuples(inner, st.booleans()), max_size=3).map(lambda one: ("struct", one)),
    ),
    max_leaves=6,
)


def made(tree: Tree) -> Any:
    """Make the type."""
    sort, inside = tree
    if sort == "struct":
        fields: list[Any] = [
            (name, made(one) | None, None) if loose else (name, made(one)) for name, (one, loose) in inside.items()
        ]
        return msgspec.defstruct(f"Body{next(_numbers)}", fields, kw_only=True)
    if sort == "scalar":
        return inside
    found = made(inside)
    return {"list": list[found], "mapping": dict[str, found], "optional": found | None}[sort]  # type: ignore[valid-type]


@st.composite
def edited(draw: st.DrawFn, tree: Tree) -> Tree:
    """Edit a type as people do: mostly a little, and not always to something that fits."""
    sort, inside = tree
    act = draw(st.sampled_from(["keep", "inside", "inside", "optional", "other"]))
    if act == "optional" and sort != "optional":
        return ("optional", tree)
    if act == "other":
        return draw(TREES)
    if act == "inside" and sort == "struct":
        fields = {
            name: (draw(edited(one)), draw(st.sampled_from([loose, True]))) for name, (one, loose) in inside.items()
        }
        more = draw(st.dictionaries(FIELDS, st.tuples(TREES, st.just(True)), max_size=1))
        return ("struct", {**more, **fields})
    if act == "inside" and sort != "scalar":
        return (sort, draw(edited(inside)))
    return tree


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Give a type and what became of it."""
    tree = draw(TREES)
    return made(tree), made(draw(edited(tree)))


def value_of(data: st.DataObject, schema: Any, document: ServiceDocument) -> Any:
    """Make a value that fits a schema of msgspec's, as JSON."""
    if "$ref" in schema:
        schema = document.schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return value_of(data, data.draw(st.sampled_from(schema["anyOf"])), document)
    if "enum" in schema:
        return data.draw(st.sampled_from(schema["enum"]))
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        needed = schema.get("required", [])
        return {
            name: value_of(data, inner, document)
            for name, inner in schema["properties"].items()
            if name in needed or data.draw(st.booleans())
        }
    if kind == "object":
        return {"k": value_of(data, schema.get("additionalProperties", {}), document)}
    if kind == "array":
        return [value_of(data, schema.get("items", {}), document) for _ in range(data.draw(st.integers(0, 2)))]
    if kind == "string" and "contentEncoding" in schema:
        return b"bytes"
    if kind == "string":
        return "x" * data.draw(st.integers(0, schema.get("maxLength", 12)))
    return {"integer": 3, "number": 1.5, "boolean": True, "null": None}[kind]


@given(pairs(), st.data())
def test_what_is_called_compatible_takes_all_that_callers_of_before_send(
    pair: tuple[Any, Any], data: st.DataObject
) -> None:
    old, new = pair
    before, after = document(old), document(new)
    assume(set(levels(before, after)) <= {"compatible"})
    value = value_of(data, before.methods[0].arguments["properties"]["body"], before)
    msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=new)


@given(pairs(), st.data())
def test_what_is_called_compatible_gives_what_callers_of_before_understand(
    pair: tuple[Any, Any], data: st.DataObject
) -> None:
    old, new = pair
    before, after = document(gives=old), document(gives=new)
    assume(set(levels(before, after)) <= {"compatible"})
    value = value_of(data, after.methods[0].result, after)
    msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=old)


@given(pairs())
def test_a_definition_fits_itself_and_what_breaks_one_way_or_the_other_is_told(pair: tuple[Any, Any]) -> None:
    before, after = (document(one, one) for one in pair)
    assert compare(before, before) == []
    assert bool(compare(before, after)) == bool(compare(after, before)), "no change is seen from one side alone"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "properties", "required", "anyOf", "enum", "const", "items", "prefixItems"),
                    *("additionalProperties", "$ref", "minimum", "maxLength", "default", "format", "a"),
                ]
            ),
            inner | st.sampled_from(["object", "array", "string", "#/schemas/a", "integer"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)
SCHEMAS = st.dictionaries(st.sampled_from(["a", "b"]), JSON.filter(lambda one: one is not None), max_size=2)


@st.composite
def hostile(draw: st.DrawFn) -> ServiceDocument:
    some = st.dictionaries(st.sampled_from(["type", "properties", "$ref", "anyOf", "enum", "items"]), JSON, max_size=3)
    methods = [
        MethodDocument(name=name, arguments=draw(some), result=draw(some), options=MethodOptions())
        for name in draw(st.lists(st.sampled_from(["a", "b"]), unique=True))
    ]
    return ServiceDocument(name="t.Service", version="1.0.0", methods=tuple(methods), schemas=draw(SCHEMAS))


@given(hostile(), hostile())
def test_whatever_somebody_writes_is_compared_without_an_error(one: ServiceDocument, other: ServiceDocument) -> None:
    assert isinstance(compare(one, other), list)
    assert compare(one, copy.deepcopy(one)) == []


def test_what_is_nested_deeper_than_anybody_reads_is_not_followed() -> None:
    def nested(leaf: str) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": leaf}
        for _ in range(200):
            schema = {"type": "array", "items": schema}
        return schema

    def made(leaf: str) -> ServiceDocument:
        return ServiceDocument(
            name="t.Service",
            version="1",
            methods=(MethodDocument(name="call", arguments=nested(leaf), result={}),),
        )

    assert levels(made("integer"), made("string")) == ["unclear"]


def test_what_would_take_for_ever_is_not_followed_to_its_end() -> None:
    union = {"anyOf": [{"type": f"t{number}"} for number in range(200)]}
    fields = {f"f{number}": {"$ref": "#/schemas/union"} for number in range(5000)}
    one = MethodDocument(name="call", arguments={"type": "object", "properties": fields}, result={})
    before = ServiceDocument(name="t.Service", version="1", methods=(one,), schemas={"union": union})
    found = compare(before, msgspec.structs.replace(before, schemas={"union": union, "more": {}}))
    assert [(one.level, one.what) for one in found] == [("unclear", "too large or too deep to be compared further")]


def test_of_very_many_alternatives_it_is_said_that_not_all_were_compared() -> None:
    def made(last: str) -> ServiceDocument:
        union = {"anyOf": [*({"type": f"t{number}"} for number in range(300)), {"type": last}]}
        method = MethodDocument(name="call", arguments={"type": "object", "properties": {"a": union}}, result={})
        return ServiceDocument(name="t.Service", version="1", methods=(method,))

    found = compare(made("integer"), made("string"))
    assert [(one.level, one.what) for one in found] == [("unclear", "has more alternatives than are compared")]


def test_references_to_references_are_followed_for_a_while() -> None:
    many = [{"$ref": f"#/schemas/s{number}"} for number in range(300)]
    schemas = {f"s{number}": {"anyOf": many} for number in range(300)}
    method = MethodDocument(name="call", arguments={"$ref": "#/schemas/s0"}, result={"$ref": "#/schemas/s1"})
    one = ServiceDocument(name="t.Service", version="1", methods=(method,), schemas=schemas)
    assert levels(one, one) == []
    assert levels(one, msgspec.structs.replace(one, schemas={**schemas, "more": {}})) == ["unclear", "unclear"]
