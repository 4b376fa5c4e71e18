"""Lenient reading of published text, and errors that name the key and never a secret."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config.client.conversion import Misfit, Shape
from qiantang.config.client.secrecy import SecretText
from qiantang.config.model import tree
from qiantang.kernel import errors, settings


class Mode(enum.Enum):
    fast = "fast"
    safe = "safe"


class Pool(msgspec.Struct):
    size: int = 4
    wait: timedelta = timedelta(seconds=1)


class Whole(msgspec.Struct, rename={"class_": "class"}):
    port: int = 0
    ratio: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    on: bool = False
    wait: timedelta = timedelta()
    names: list[str] = []
    ports: tuple[int, ...] = ()
    pair: tuple[str, int] = ("", 0)
    kinds: frozenset[str] = frozenset()
    several: Sequence[float] = ()
    limits: dict[str, timedelta] = {}
    mode: Mode = Mode.safe
    level: Literal["low", "high"] = "low"
    some: int | None = 1
    text: str | None = None
    where: Path = Path()
    secret: settings.Secret = settings.Secret()
    pool: Pool = msgspec.field(default_factory=Pool)
    class_: str = ""
    anything: Any = None
    next: Whole | None = None


@dataclasses.dataclass(frozen=True)
class Plain:
    port: int
    wait: timedelta = timedelta()
    pools: list[Pool] = dataclasses.field(default_factory=list)


class Inner(pydantic.BaseModel):
    size: int = 0
    key: str = ""


class Pydantic(pydantic.BaseModel):
    port: int
    wait: timedelta = timedelta()
    names: list[str] = []
    on: bool = False
    password: str = ""
    token: pydantic.SecretStr = pydantic.SecretStr("")
    other: str = pydantic.Field(default="", alias="other-name")
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("port", "8080", 8080), ("port", " 8080 ", 8080), ("port", 8080, 8080),
        ("ratio", "0.5", 0.5), ("ratio", 1, 1.0),
        ("on", "true", True), ("on", "Yes", True), ("on", "off", False), ("on", "0", False), ("on", True, True),
        ("wait", "5s", timedelta(seconds=5)), ("wait", "1h30m", timedelta(minutes=90)), ("wait", "PT5S", timedelta(seconds=5)),
        ("wait", 5, timedelta(seconds=5)), ("wait", "200ms", timedelta(milliseconds=200)),
        ("names", "a, b,,c ", ["a", "b", "c"]), ("names", "", []), ("names", ("a", "b"), ["a", "b"]),
        ("ports", "1,2", (1, 2)), ("pair", "a,7", ("a", 7)), ("kinds", "x,y,x", frozenset({"x", "y"})),
        ("several", "1,2.5", [1.0, 2.5]), ("limits", {"a": "5s"}, {"a": timedelta(seconds=5)}),
        ("mode", "fast", Mode.fast), ("level", "high", "high"),
        ("some", "", None), ("some", "3", 3), ("some", None, None), ("text", "", ""),
        ("where", "/etc/x", Path("/etc/x")), ("pool", {"size": "9", "wait": "2s"}, Pool(9, timedelta(seconds=2))),
        ("anything", {"a": [1]}, {"a": (1,)}), ("next", {"port": "1"}, Whole(port=1)),
    ],
)  # fmt: skip
def test_text_is_read_as_what_the_model_wants(field: str, raw: Any, value: Any) -> None:
    made = Shape(Whole).convert(tree.freeze({field: raw}))
    assert getattr(made, field) == value
    assert made == msgspec.structs.replace(Whole(), **{field: value})


def test_keys_may_be_renamed_and_unknown_ones_are_others_business() -> None:
    assert Shape(Whole).convert({"class": "x", "unknown": 1}).class_ == "x"


def test_a_secret_type_is_made_of_text() -> None:
    assert Shape(Whole).convert({"secret": "s3cret"}).secret.reveal() == "s3cret"


def test_dataclasses_and_what_is_nested_in_them() -> None:
    made = Shape(Plain).convert(tree.freeze({"port": "1", "wait": "2s", "pools": [{"size": "3"}]}))
    assert made == Plain(1, timedelta(seconds=2), [Pool(3)])


def test_pydantic_models() -> None:
    raw = {
        "port": "1", "wait": "2s", "names": "a,b", "on": "yes", "password": SecretText("hunter22"),
        "token": SecretText("tok"), "other-name": "x", "inner": {"size": "2", "key": SecretText("hunter22")},
    }  # fmt: skip
    made = Shape(Pydantic).convert(tree.freeze(raw))
    assert (made.port, made.wait, made.names, made.on, made.other) == (1, timedelta(seconds=2), ["a", "b"], True, "x")
    assert (made.password, made.token.get_secret_value()) == ("hunter22", "tok")
    assert made.inner == Inner(size=2, key="hunter22")
    assert "hunter22" not in repr(made)


def test_marked_secrets_keep_their_mask_in_structs_and_lists() -> None:
    made = Shape(Whole).convert({"text": SecretText("hunter22"), "names": SecretText("hunter22,b")})
    assert made.text == "hunter22"
    assert made.names == ["hunter22", "b"]
    assert "hunter22" not in repr(made)


@pytest.mark.parametrize(
    ("model", "raw", "path", "missing"),
    [
        (Whole, {"port": "many"}, "port", False),
        (Whole, {"pool": {"size": []}}, "pool.size", False),
        (Whole, {"ports": "1,x"}, "ports.1", False),
        (Whole, {"limits": {"a": "soon"}}, "limits.*", False),
        (Whole, {"ratio": -1}, "ratio", False),
        (Whole, {"mode": "slow"}, "mode", False),
        (Whole, {"pool": "text"}, "pool", False),
        (Whole, "text", "", False),
        (Plain, {}, "port", True),
        (Pydantic, {}, "port", True),
        (Pydantic, {"port": "many"}, "port", False),
    ],
)
def test_what_does_not_fit_is_named(model: Any, raw: Any, path: str, missing: bool) -> None:
    with pytest.raises(Misfit) as caught:
        Shape(model).convert(tree.freeze(raw))
    assert (caught.value.path, caught.value.missing) == (path, missing)


def test_an_error_of_the_models_own_code_is_a_misfit() -> None:
    class Strict(msgspec.Struct):
        port: int = 0

        def __post_init__(self) -> None:
            if self.port > 10:
                raise KeyError(self.port)

    with pytest.raises(Misfit, match="KeyError") as caught:
        Shape(Strict).convert({"port": "11"})
    assert not caught.value.free_of_values


@pytest.mark.parametrize("model", [int, dict[str, int], None, "Settings", lambda: None])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(errors.MisconfiguredError, match="cannot be bound"):
        Shape(model)


def test_a_type_that_could_never_be_read_is_refused_at_once() -> None:
    class Ambiguous(msgspec.Struct):
        one: Pool | Whole

    with pytest.raises(errors.MisconfiguredError, match="Ambiguous cannot be bound"):
        Shape(Ambiguous)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(Whole.__struct_fields__), inside),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(Whole.__struct_fields__), _values))
def test_whatever_is_published_either_fits_or_is_a_misfit(raw: dict[str, Any]) -> None:
    try:
        made = Shape(Whole).convert(tree.freeze(raw))
    except Misfit as misfit:
        assert misfit.reason
    else:
        assert isinstance(made, Whole)
