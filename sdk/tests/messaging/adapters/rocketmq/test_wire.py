"""The remoting protocol: frames there and back, and signatures."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.rocketmq import wire
from qiantang.messaging.adapters.rocketmq.wire import Code
from qiantang.messaging.errors import UndecodableError


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=5), st.binary(max_size=200))
def test_a_command_is_read_as_it_was_written(fields: dict[str, str], body: bytes) -> None:
    data = wire.written(Code.SEND, fields, body, number=7)
    assert wire.length_of(data[:4]) == len(data) - 4
    command = wire.read(data[4:])
    assert (command.header.code, command.header.opaque, command.fields, command.body) == (310, 7, fields, body)
    assert not command.is_answer


def test_an_answer_of_a_server() -> None:
    head = b'{"code":17,"flag":1,"language":"JAVA","opaque":5,"remark":"no","serializeTypeCurrentRPC":"JSON","version":495}'
    command = wire.read(struct.pack(">i", len(head)) + head)
    assert command.is_answer
    assert (command.header.code, command.header.opaque, command.header.remark, command.fields) == (17, 5, "no", {})


@pytest.mark.parametrize("data", [b"", b"\0\0\0\2{]", b"\1\0\0\2{}", b"\0\0\0\2{}", b"\0\0\0\5[1,2]"])
def test_what_is_no_frame_is_told_so(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        wire.read(data)


@pytest.mark.parametrize("prefix", [b"HTTP", b"\0\0\0\1", b"\xff\xff\xff\xff"])
def test_another_protocol_is_no_length(prefix: bytes) -> None:
    with pytest.raises(UndecodableError, match="no frame of RocketMQ"):
        wire.length_of(prefix)


def test_a_signature_covers_the_values_in_the_order_of_their_names_and_the_body() -> None:
    fields = wire.signed({"topic": "t", "a": "1"}, b"body", "me", "secret")
    assert fields["AccessKey"] == "me"
    assert fields == wire.signed({"a": "1", "topic": "t"}, b"body", "me", "secret")
    assert fields["Signature"] != wire.signed({"topic": "t", "a": "1"}, b"other", "me", "secret")["Signature"]
    assert fields["Signature"] == "sLPQkjAGSUJgFw6/yOrmworNNHo=", "the HMAC-SHA1 of `me1tbody`"
