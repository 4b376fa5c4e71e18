"""A whole application as a zip file: round trip, and every way to hurt with one."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config import model
from qiantang.kernel import errors, secret
from qiantang_server.config.rules import archive, contents
from qiantang_server.config.rules.archive import ArchiveError, ArchiveLimits, ArchiveTooLargeError
from qiantang_server.config.rules.exchange import KEPT

OPEN = secret.Secret(secret.SecretValue(value="hunter2"))

SHOP = {
    "application": model.Namespace(
        format="properties",
        items={
            "db.password": model.Item(value=OPEN, comment="rotate\nmonthly"),
            "db.pool": model.Item(value="5", type="number"),
        },
        inherits="hub/platform/base",
        schema='{"type": "object"}',
        description="the shop",
    ),
    "application@blue": model.Namespace(format="yaml", document="# note\na: 1\n", public=True),
    "keys": model.Namespace(format="json", document=secret.Secret(secret.SecretValue(value='{"k": 1}'))),
    "motd": model.Namespace(format="text", document="hello\n"),
}


def write(namespaces=SHOP, **options):
    return archive.write(namespaces, application="acme/prod/east/shop", revision=7, **options)


def test_round_trip_with_secrets_revealed():
    read = {incoming.name: incoming for incoming in archive.read(write(reveal=True))}
    assert {name: incoming.body for name, incoming in read.items()} == SHOP
    assert all(not incoming.problems for incoming in read.values())


def test_secrets_stay_behind_when_hidden():
    packed = write()
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        unpacked = {name: opened.read(name).decode() for name in opened.namelist()}
    assert "hunter2" not in str(unpacked)
    assert '"k"' not in str(unpacked)
    assert set(unpacked) == {
        "manifest.yaml", "namespaces/application.properties", "namespaces/application@blue.yaml",
        "namespaces/keys.json", "namespaces/motd.txt",
    }  # fmt: skip
    read = {incoming.name: incoming.body for incoming in archive.read(packed)}
    assert read["application"].items["db.password"].value == KEPT
    assert read["keys"].document == KEPT


def test_equal_content_gives_equal_bytes():
    assert write() == write(dict(reversed(list(SHOP.items()))))


def test_what_is_not_open_cannot_be_revealed():
    sealed = {"a": model.Namespace(format="yaml", document=secret.Secret(secret.SecretValue(sealed="x")))}
    with pytest.raises(contents.SealedError):
        write(sealed, reveal=True)


def pack(files, **info_fields):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in info_fields.items():
                setattr(info, field, value)
            opened.writestr(info, text)
    return packed.getvalue()


MANIFEST = "version: 1\nnamespaces:\n  a: {file: namespaces/a.yaml, format: yaml}\n"
GOOD = [("manifest.yaml", MANIFEST), ("namespaces/a.yaml", "x: 1\n")]


def test_an_archive_packed_by_hand_is_taken():
    (incoming,) = archive.read(pack([("namespaces/", ""), *GOOD]))
    assert incoming.body == model.Namespace(format="yaml", document="x: 1\n")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("../manifest.yaml", "")], "leads out"),
        ([*GOOD, ("namespaces/../../etc/passwd", "")], "leads out"),
        ([*GOOD, ("/etc/passwd", "")], "leads out"),
        ([*GOOD, ("namespaces\\..\\x", "")], "leads out"),
        ([*GOOD, ("C:/x", "")], "leads out"),
        ([*GOOD, ("readme.txt", "")], "only manifest.yaml"),
        ([*GOOD, ("namespaces/b.yaml", "")], "does not name"),
        ([*GOOD, ("namespaces/deep/a.yaml", "")], "does not name"),
        ([GOOD[1]], "lacks manifest.yaml"),
        ([GOOD[0]], "lacks 'namespaces/a.yaml'"),
        ([("manifest.yaml", "version: 2"), GOOD[1]], "of version 2"),
        ([("manifest.yaml", "a: ["), GOOD[1]], "cannot be read"),
        ([("manifest.yaml", "version: 1\nextra: 1"), GOOD[1]], "not one of ours"),
        ([("manifest.yaml", b"\xff\xfe"), GOOD[1]], "not text in UTF-8"),
        ([("manifest.yaml", MANIFEST.replace("  a:", "  ../a:")), GOOD[1]], "wrong namespace"),
        ([("manifest.yaml", MANIFEST.replace("a.yaml", "b.yaml")), ("namespaces/b.yaml", "")], "expected"),
        ([("manifest.yaml", MANIFEST.replace("namespaces/a.yaml", "/etc/passwd")), GOOD[1]], "expected"),
    ],
)
def test_what_does_not_belong_is_refused(files, words):
    with pytest.raises(ArchiveError, match=words):
        archive.read(pack(files))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused():
    with pytest.raises(ArchiveError, match="twice"):
        archive.read(pack([*GOOD, GOOD[1]]))


def patched(packed, offset_in_directory, value):
    """Change two bytes of every entry of the directory, and of the local headers where they say the same."""
    data = bytearray(packed)
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + offset_in_directory : at + offset_in_directory + 2] = struct.pack("<H", value)
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(data)


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [(8, 0x1, "encrypted"), (8, 0x41, "encrypted"), (10, 12, "packed in a way"), (10, 14, "packed in a way")],
)
def test_encrypted_and_strangely_packed_archives_are_refused(offset, value, words):
    with pytest.raises(ArchiveError, match=words):
        archive.read(patched(pack(GOOD), offset, value))


def test_damaged_archives_are_refused():
    packed = pack(GOOD)
    for data in (b"", b"PK", b"x" * 100, packed[:-1], packed + b"x", packed[: len(packed) // 2]):
        with pytest.raises(ArchiveError):
            archive.read(data)
    body = bytearray(packed)
    body[60] ^= 0xFF
    with pytest.raises(ArchiveError):
        archive.read(bytes(body))


@given(st.data())
def test_flipped_bytes_give_an_import_or_our_errors(data):
    packed = bytearray(pack(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        archive.read(bytes(packed))
    except errors.InvalidRequestError as error:
        assert error.code in {"config.archive_invalid", "config.archive_too_large"}


def test_limits():
    with pytest.raises(ArchiveTooLargeError, match="one may have 10"):
        archive.read(pack(GOOD), ArchiveLimits(archive_bytes=10))
    with pytest.raises(ArchiveTooLargeError, match="unpacks to more"):
        archive.read(pack(GOOD), ArchiveLimits(unpacked_bytes=10))
    with pytest.raises(ArchiveTooLargeError, match="more than 1 files"):
        archive.read(pack(GOOD), ArchiveLimits(files=1))
    with pytest.raises(errors.TooLargeError):
        archive.read(pack(GOOD), ArchiveLimits(manifest_bytes=10))


def peak_of(data):
    tracemalloc.start()
    try:
        with pytest.raises(errors.InvalidRequestError):
            archive.read(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_zip_bomb_is_not_unpacked():
    bomb = pack([GOOD[0], ("namespaces/a.yaml", b"\0" * (100 << 20))])
    assert len(bomb) < 200_000
    assert peak_of(bomb) < 4 << 20


def test_a_zip_bomb_that_lies_about_its_size_is_not_unpacked_either():
    data = bytearray(pack([GOOD[0], ("namespaces/a.yaml", b"\0" * (100 << 20))]))
    at = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 4)
    data[at + 24 : at + 28] = struct.pack("<I", 100)
    assert peak_of(bytes(data)) < 8 << 20


def test_a_directory_of_a_million_entries_is_not_read():
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 300_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 5, 5, len(directory), 0, 0)
    assert peak_of(directory + end) < 4 << 20


def test_zip64_is_not_taken():
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    packed = pack(GOOD)
    with pytest.raises(ArchiveError, match="zip64"):
        archive.read(packed[:-22] + locator + packed[-22:])


def test_one_wrong_namespace_does_not_lose_the_others():
    manifest = MANIFEST + "  b: {file: namespaces/b.properties, format: properties}\n"
    files = [
        ("manifest.yaml", manifest),
        ("namespaces/a.yaml", b"\xff"),
        ("namespaces/b.properties", "k = \\u1\nz = 1"),
    ]
    first, second = archive.read(pack(files))
    assert "not text" in first.problems[0].message
    assert second.problems[0].line == 1


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
lines = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]).filter(lambda c: c not in "\r\n"), max_size=5), max_size=2
)
items = st.builds(
    model.Item,
    value=texts | texts.map(secret.Secret.of),
    type=st.sampled_from(["string", "json"]),
    comment=lines.map("\n".join),
)
bodies = st.one_of(
    st.builds(
        model.Namespace,
        format=st.just("properties"),
        items=st.dictionaries(texts, items, max_size=3),
        public=st.booleans(),
    ),
    st.builds(
        model.Namespace,
        format=st.sampled_from(["yaml", "json", "toml", "text"]),
        document=texts | texts.map(secret.Secret.of),
        description=texts,
        schema=texts,
    ),
)


@given(st.dictionaries(st.sampled_from(["a", "b.c", "d@e"]), bodies))
def test_whatever_goes_out_revealed_comes_in_as_it_was(namespaces):
    read = archive.read(write(namespaces, reveal=True))
    assert {incoming.name: incoming.body for incoming in read} == namespaces
