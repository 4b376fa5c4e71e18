"""Archive: a whole application as a zip file, one file for each namespace beside a manifest.

Reading trusts nothing: sizes and counts are looked at before anything is unpacked, nothing is unpacked
beyond the limits whatever the archive says of itself, names must be exactly those that writing gives, and
nothing ever touches a disk.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NoReturn

import msgspec

from qiantang.config import model
from qiantang.kernel import errors, secret, wire
from qiantang.kernel.errors import Problem
from qiantang_server.config.rules import documents
from qiantang_server.config.rules.documents import properties_syntax
from qiantang_server.config.rules.exchange import KEPT, PLACEHOLDER, Incoming, export_text
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits

MANIFEST: Final = "manifest.yaml"
VERSION: Final = 1
_EXTENSIONS: Final[dict[model.Format, str]] = {
    "properties": "properties",
    "yaml": "yaml",
    "json": "json",
    "toml": "toml",
    "text": "txt",
}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class ArchiveError(errors.InvalidRequestError):
    """An archive that is not one of ours, or that is made to hurt."""

    code = "config.archive_invalid"


class ArchiveTooLargeError(errors.TooLargeError):
    """An archive over a limit."""

    code = "config.archive_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What an archive may hold: bytes as it comes and unpacked, and files."""

    archive_bytes: int = 16 << 20
    unpacked_bytes: int = 32 << 20
    manifest_bytes: int = 4 << 20
    files: int = 2001


class ManifestItem(wire.Command, frozen=True, omit_defaults=True):
    """What a line of properties does not say of a setting."""

    type: model.ItemType = "string"
    comment: str = ""
    secret: bool = False


class ManifestNamespace(wire.Command, frozen=True, omit_defaults=True):
    """A namespace but for its content, which is in `file`. `secret`: the whole document is one."""

    file: str
    format: model.Format
    public: bool = False
    inherits: str = ""
    description: str = ""
    schema: str = ""
    secret: bool = False
    items: dict[str, ManifestItem] = msgspec.field(default_factory=dict[str, ManifestItem])


class Manifest(wire.Command, frozen=True, omit_defaults=True):
    """The table of contents. Where it comes from is told for people; an import goes wherever it is asked to."""

    version: Annotated[int, msgspec.Meta(ge=1)]
    application: str = ""
    revision: int = 0
    secrets: Literal["revealed", "hidden"] = "hidden"
    namespaces: dict[str, ManifestNamespace] = msgspec.field(default_factory=dict[str, ManifestNamespace])


def write(namespaces: Mapping[str, model.Namespace], *, application: str, revision: int, reveal: bool = False) -> bytes:
    """Pack an application. Equal content gives equal bytes.

    Raises:
        SealedError: a secret is to be revealed and is not open.
    """
    manifest = Manifest(
        version=VERSION,
        application=application,
        revision=revision,
        secrets="revealed" if reveal else "hidden",
        namespaces={name: _described(name, namespaces[name]) for name in sorted(namespaces)},
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, MANIFEST, documents.emit("yaml", wire.builtins(manifest)))
        for name, described in manifest.namespaces.items():
            body = namespaces[name]
            _add(archive, described.file, export_text(body, body.format, reveal=reveal))
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    # Reading drops a byte order mark, which editors add; a text that begins with one gets another.
    archive.writestr(info, text.encode("utf-8-sig" if text.startswith("\ufeff") else "utf-8"))


def _file(name: str, kind: model.Format) -> str:
    return f"namespaces/{name}.{_EXTENSIONS[kind]}"


def _described(name: str, body: model.Namespace) -> ManifestNamespace:
    return ManifestNamespace(
        file=_file(name, body.format),
        format=body.format,
        public=body.public,
        inherits=body.inherits,
        description=body.description,
        schema=body.schema,
        secret=isinstance(body.document, secret.Secret),
        items={
            key: ManifestItem(type=item.type, comment=item.comment, secret=isinstance(item.value, secret.Secret))
            for key, item in body.items.items()
        },
    )


def read(data: bytes, archive_limits: ArchiveLimits | None = None, limits: NamespaceLimits = DEFAULT) -> list[Incoming]:
    """Unpack an application. A namespace that cannot be read comes with its problems; the others are not lost.

    Raises:
        ArchiveTooLargeError: over a limit, packed or unpacked.
        ArchiveError: not an archive of ours: damaged, encrypted, with names that do not belong, without its
        manifest.
    """
    allowed = archive_limits or ArchiveLimits()
    files = _unpacked(data, allowed)
    manifest = _manifest(files.pop(MANIFEST, None), allowed)
    for name, described in manifest.namespaces.items():
        _check_entry(name, described, files)
    known = {described.file for described in manifest.namespaces.values()}
    stray = sorted(files.keys() - known)
    if stray:
        raise ArchiveError(f"the archive holds {stray[0][:120]!r}, which its manifest does not name")
    return [
        _incoming(name, described, files[described.file], limits)
        for name, described in sorted(manifest.namespaces.items())
    ]


def _check_entry(name: str, described: ManifestNamespace, files: Mapping[str, bytes]) -> None:
    try:
        model.check_name(name)
    except errors.InvalidRequestError as error:
        raise ArchiveError(f"the manifest names a wrong namespace: {error.detail}") from error
    if described.file != _file(name, described.format):
        raise ArchiveError(
            f"the manifest puts {name} into {described.file[:120]!r}: expected {_file(name, described.format)!r}"
        )
    if described.file not in files:
        raise ArchiveError(f"the archive lacks {described.file!r}, which its manifest names")


def _unpacked(data: bytes, allowed: ArchiveLimits) -> dict[str, bytes]:
    if len(data) > allowed.archive_bytes:
        raise ArchiveTooLargeError(f"the archive has {len(data)} bytes and one may have {allowed.archive_bytes}")
    _check_directory(data, allowed)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _contents(archive, allowed)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ArchiveError(f"the archive is damaged: {error}") from error
    except (NotImplementedError, RuntimeError, ValueError, struct.error) as error:
        raise ArchiveError(f"the archive is of a kind that is not taken: {error}") from error


_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_SIZE: Final = 20
_ENTRY_BYTES: Final = 512


def _check_directory(data: bytes, allowed: ArchiveLimits) -> None:
    """Look at the size of the directory before it is read: a reader makes an object of every entry in it."""
    tail = data[-_END.size :]
    if len(tail) < _END.size or not tail.startswith(b"PK\x05\x06"):
        _refuse("this is no zip archive, or one with a comment at its end, which is not taken")
    _, _, _, _, count, size, _, comment = _END.unpack(tail)
    if comment or data[-_END.size - _LOCATOR_SIZE : -_END.size].startswith(_LOCATOR):
        _refuse("archives in zip64 format, or with a comment, are not taken")
    if count > allowed.files or size > allowed.files * _ENTRY_BYTES:
        raise ArchiveTooLargeError(f"the archive holds more than {allowed.files} files")


def _refuse(message: str) -> NoReturn:
    raise ArchiveError(message)


def _contents(archive: zipfile.ZipFile, allowed: ArchiveLimits) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > allowed.files:
        raise ArchiveTooLargeError(f"the archive holds more than {allowed.files} files")
    if sum(entry.file_size for entry in entries) > allowed.unpacked_bytes:
        raise ArchiveTooLargeError(f"the archive unpacks to more than {allowed.unpacked_bytes} bytes")
    files: dict[str, bytes] = {}
    for entry in entries:
        _check_info(entry)
        if entry.filename in files:
            _refuse(f"the archive holds {entry.filename[:120]!r} twice")
        if entry.filename != "namespaces/":
            files[entry.filename] = _unpack(archive, entry)
    return files


def _check_info(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    if name != entry.filename or "\\" in name or ":" in name or name.startswith("/") or ".." in name.split("/"):
        _refuse(f"the archive holds the name {name[:120]!r}, which leads out of it")
    if name != MANIFEST and not name.startswith("namespaces/"):
        _refuse(f"the archive holds {name[:120]!r}: only {MANIFEST} and namespaces/ belong there")
    if entry.flag_bits & 0x41:
        _refuse(f"{name[:120]!r} is encrypted: encrypted archives are not taken")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        _refuse(f"{name[:120]!r} is packed in a way that is not taken: use deflate")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Unpack one file; never more than it says of itself, which was summed up before."""
    with archive.open(entry) as stream:
        return stream.read(entry.file_size + 1)


def _manifest(data: bytes | None, allowed: ArchiveLimits) -> Manifest:
    if data is None:
        _refuse(f"the archive lacks {MANIFEST}")
    limits = NamespaceLimits(namespace_bytes=allowed.manifest_bytes, nodes=400_000)
    try:
        read = documents.parse("yaml", _text(data, MANIFEST), limits).data
        manifest = wire.convert(read, Manifest)
    except documents.DocumentError as error:
        raise ArchiveError(f"{MANIFEST} cannot be read", problems=error.problems) from error
    except errors.TooLargeError:
        raise
    except errors.InvalidRequestError as error:
        raise ArchiveError(f"{MANIFEST} is not one of ours: {error.detail}", problems=error.problems) from error
    if manifest.version != VERSION:
        _refuse(f"{MANIFEST} is of version {manifest.version}, and this server knows {VERSION}")
    return manifest


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{name!r} is not text in UTF-8: byte {error.start} is wrong") from error


def _incoming(name: str, described: ManifestNamespace, data: bytes, limits: NamespaceLimits) -> Incoming:
    fields: dict[str, Any] = {
        "format": described.format,
        "public": described.public,
        "inherits": described.inherits,
        "description": described.description,
        "schema": described.schema,
    }
    try:
        text = _text(data, described.file)
        documents.check_size(text, limits)
        if described.format == "properties":
            return Incoming(name, model.Namespace(**fields, items=_items(text, described, limits)))
    except errors.InvalidRequestError as error:
        return Incoming(name, model.Namespace(**fields), tuple(error.problems or [Problem(error.detail)]))
    document = KEPT if text.strip() == PLACEHOLDER else secret.Secret.of(text) if described.secret else text
    return Incoming(name, model.Namespace(**fields, document=document))


def _items(text: str, described: ManifestNamespace, limits: NamespaceLimits) -> dict[str, model.Item]:
    items: dict[str, model.Item] = {}
    for each in properties_syntax.parse(text, documents.Budget.of(limits)):
        said = described.items.get(each.key, ManifestItem())
        value = KEPT if each.value == PLACEHOLDER else secret.Secret.of(each.value) if said.secret else each.value
        items[each.key] = model.Item(value=value, type=said.type, comment=each.comment or said.comment)
    return items
