"""Bounds: what is written can be read, what others wrote is read by the same rules, and nothing hostile passes or raises."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang.registry.model import Change, Definition, Node, Provided, Vote, digest
from qiantang.registry.port import bounds
from qiantang.registry.testing import BAD_NAMES, node

WORDS = st.text(max_size=20)
NODES = st.builds(
    Node,
    name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.:@-]{0,20}\Z"),
    addresses=st.dictionaries(WORDS, WORDS, max_size=3),
    services=st.dictionaries(
        st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.-]{0,20}\Z"), st.builds(Provided, version=WORDS, group=WORDS), max_size=3
    ),
    state=st.sampled_from(["starting", "ready", "draining", "offline"]),
    weight=st.integers(0, 10_000),
    zone=WORDS,
    cluster=st.sampled_from(["default", "east-1"]),
    tags=st.dictionaries(WORDS, WORDS, max_size=3),
    started_at=st.floats(allow_nan=False, allow_infinity=False),
)


@given(NODES)
def test_a_node_that_is_written_is_read_as_it_was(one: Node) -> None:
    assert bounds.decode_node(bounds.encode_node(one), one.name, one.cluster) == one


@given(st.binary(max_size=300))
def test_whatever_others_wrote_is_a_node_or_nothing(data: bytes) -> None:
    assert bounds.decode_node(data, "a", "default") is None
    assert bounds.decode_definition(data, "s") is None
    assert bounds.decode_vote(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"name":"a","addresses":' + b'{"x":' * 50_000,
        b'{"name":"a","addresses":{},"weight":1e99}',
        b'{"name":"a","addresses":{},"state":"running"}',
        b'{"name":"a","addresses":{}}' + b" " * bounds.MAX_NODE_BYTES,
        b'{"name":"a","addresses":{},"cluster":"../x"}',
    ],
)
def test_what_is_hostile_is_no_node(data: bytes) -> None:
    assert bounds.decode_node(data, "a", "default") is None


def test_a_node_is_the_one_that_its_place_says() -> None:
    data = bounds.encode_node(node("a"))
    assert bounds.decode_node(data, "b", "default") is None
    assert bounds.decode_node(data, "a", "east") is None


def test_a_newer_writer_may_say_more() -> None:
    data = b'{"name":"a","addresses":{"csf1":"127.0.0.1:9000"},"mood":"fine"}'
    assert bounds.decode_node(data, "a", "default") == node("a")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(name: str) -> None:
    for check in (bounds.check_microservice, bounds.check_node_name, bounds.check_service):
        with pytest.raises(errors.InvalidRequestError):
            check(name)
    assert not bounds.is_cluster(name)


def test_a_damaged_definition_is_none() -> None:
    whole = Definition.of("s", {"b": 1, "a": [True, None, "ü"]})
    assert whole.digest == digest({"a": [True, None, "ü"], "b": 1}), "the order of keys does not count"
    data = bounds.encode_definition(whole)
    assert bounds.decode_definition(data, "s") == whole
    assert bounds.decode_definition(data, "t") is None
    assert bounds.decode_definition(data.replace(b'"b":1', b'"b":2'), "s") is None


def test_a_vote_is_read_as_it_was() -> None:
    vote = Vote(service="s", node="n", voter="v", value="open 0.5")
    assert bounds.decode_vote(bounds.encode_vote(vote)) == vote


def test_a_change_leaves_what_it_does_not_say() -> None:
    before = node("a", zone="z", tags={"x": "y"}, weight=7)
    assert Change().applied(before) == before
    assert Change(weight=0, tags={}).applied(before) == msgspec.structs.replace(before, weight=0, tags={})
    assert Change(state="draining").applied(before).state == "draining"
