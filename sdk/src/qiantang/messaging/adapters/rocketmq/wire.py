"""Wire: RocketMQ's remoting protocol: commands with a header in JSON and a body. Pure.

A frame is its length, the length of its header, the header, and the body; lengths are of four bytes, the highest of the header's
says how the header is written (0: JSON).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import msgspec

from qiantang.messaging.errors import UndecodableError

LARGEST: Final = 64 * 1024 * 1024
VERSION: Final = 453
"""What we say to be: a client of 5.x."""
ANSWER, ONE_WAY = 1, 2

_lengths = struct.Struct(">ii")


class Code(IntEnum):
    """What can be asked."""

    PULL = 11
    OFFSET = 14
    COMMIT = 15
    MAKE_TOPIC = 17
    CONFIGURATION = 26
    RUNTIME = 28
    LAST_OFFSET = 30
    FIRST_OFFSET = 31
    HEARTBEAT = 34
    LEAVE = 35
    MEMBERS = 38
    MEMBERS_CHANGED = 40
    LOCK = 41
    UNLOCK = 42
    ROUTE = 105
    CLUSTER = 106
    MAKE_GROUP = 200
    GROUPS = 201
    REMOVE_GROUP = 207
    REMOVE_TOPIC = 215
    FORGET_TOPIC = 216
    SEND = 310
    SEND_BATCH = 320
    GROUP = 352
    RECALL = 370


class Answer(IntEnum):
    """What is answered, beside 0 for success."""

    DONE = 0
    SYSTEM_ERROR = 1
    BUSY = 2
    UNSUPPORTED = 3
    DISK_TIMEOUT = 10
    NO_SLAVE = 11
    SLAVE_TIMEOUT = 12
    ILLEGAL_MESSAGE = 13
    NOT_SERVING = 14
    NO_PERMISSION = 16
    NO_TOPIC = 17
    NOTHING_FOUND = 19
    AGAIN = 20
    OFFSET_MOVED = 21
    NOT_FOUND = 22
    NO_GROUP = 26
    INVALID = 29
    FLOW_CONTROL = 215
    ILLEGAL_OPERATION = 604


class Header(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The header of a command. `flag` says whether it is an answer, and whether one is wanted."""

    code: int
    opaque: int = -1
    flag: int = 0
    version: int = -1
    language: str = ""
    remark: str | None = None
    fields: dict[str, str] | None = msgspec.field(default=None, name="extFields")
    form: str = msgspec.field(default="", name="serializeTypeCurrentRPC")


class Command(msgspec.Struct, frozen=True):
    """A command or an answer that came."""

    header: Header
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """The fields of its header."""
        return self.header.fields or {}

    @property
    def is_answer(self) -> bool:
        """Whether it answers something."""
        return bool(self.header.flag & ANSWER)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Header)


def written(code: int, fields: Mapping[str, str], body: bytes, *, number: int, flag: int = 0) -> bytes:
    """Give the frame of a command; its answer has the same number."""
    header = Header(
        code=code,
        opaque=number,
        flag=flag,
        version=VERSION,
        language="PYTHON",
        fields=dict(fields),
        form="JSON",
    )
    head = _encoder.encode(header)
    return _lengths.pack(4 + len(head) + len(body), len(head)) + head + body


def length_of(prefix: bytes) -> int:
    """Give how long a frame is, behind the four bytes of its length.

    Raises:
        UndecodableError: it is no length of a frame: another protocol is spoken there.
    """
    length = int.from_bytes(prefix, "big")
    if not 4 <= length <= LARGEST:
        raise UndecodableError(f"what came is no frame of RocketMQ's remoting protocol: its length would be {length}")
    return length


def read(data: bytes) -> Command:
    """Read a frame, without its length.

    Raises:
        UndecodableError: it is none.
    """
    length = int.from_bytes(data[:4], "big")
    form, length = length >> 24, length & 0xFFFFFF
    try:
        if form:
            raise UndecodableError(f"a header of RocketMQ is written in the form {form}, not in JSON")
        return Command(_decoder.decode(data[4 : 4 + length]), data[4 + length :])
    except msgspec.MsgspecError as error:
        raise UndecodableError(f"a header of RocketMQ makes no sense: {error}") from error


def signed(fields: Mapping[str, str], body: bytes, access_key: str, secret_key: str) -> dict[str, str]:
    """Give the fields with a signature: the HMAC of their values, in the order of their names, and the body."""
    known = {**fields, "AccessKey": access_key}
    said = "".join(known[name] for name in sorted(known)).encode() + body
    known["Signature"] = base64.b64encode(hmac.new(secret_key.encode(), said, hashlib.sha1).digest()).decode()
    return known
