"""Properties: the line format of Java's java.util.Properties, with comments kept beside the keys they stand over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qiantang_server.config.rules.documents.reading import NOWHERE, Budget, Place, Weight, refuse

_BREAK = re.compile(r"\r\n|\n|\r")
_BLANK = " \t\f"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPED = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", "\\": "\\\\"}
_LOOSE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Property:
    """One key with its value, the comment over it, and where it stands."""

    key: str
    value: str
    comment: str = ""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class _Logical:
    """A logical line: continuations joined."""

    text: str
    number: int
    indent: int


def parse(text: str, budget: Budget) -> list[Property]:
    """Read all properties in order. The comment lines over a key are its comment; those after the last key are dropped.

    Raises:
        DocumentError: a wrong escape, a key that is there twice, or over the budget; with line and column.
    """
    found: dict[str, Property] = {}
    comment: list[str] = []
    for line in _logical(text):
        if line.text[:1] in {"#", "!"}:
            comment.append(line.text[1:].removeprefix(" "))
            continue
        read = _property(line, "\n".join(comment))
        comment = []
        budget.spend(Weight(1, len(read.key) + len(read.value)), 1, read.place)
        if read.key in found:
            refuse(f"the key {read.key[:80]!r} is there twice", read.place)
        found[read.key] = read
    return list(found.values())


def _logical(text: str) -> Iterator[_Logical]:
    """Give comment lines, and lines with their continuations joined; blank lines are passed over."""
    joined: list[str] = []
    number = indent = 0
    for index, raw in enumerate(_BREAK.split(text), start=1):
        line = raw.lstrip(_BLANK)
        if not joined:
            number, indent = index, len(raw) - len(line)
            if line[:1] in {"#", "!"}:
                yield _Logical(line, index, indent)
                continue
            if not line:
                continue
        if _continues(line):
            joined.append(line[:-1])
            continue
        whole = "".join([*joined, line])
        joined = []
        if whole:
            yield _Logical(whole, number, indent)
    if joined and any(joined):
        yield _Logical("".join(joined), number, indent)


def _continues(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _property(line: _Logical, comment: str) -> Property:
    place = Place(line.number, line.indent + 1)
    end = _key_end(line.text)
    rest = line.text[end:].lstrip(_BLANK)
    if rest[:1] in {"=", ":"}:
        rest = rest[1:].lstrip(_BLANK)
    return Property(_unescaped(line.text[:end], place), _unescaped(rest, place), comment, place)


def _key_end(text: str) -> int:
    escaped = False
    for index, character in enumerate(text):
        if not escaped and character in "=: \t\f":
            return index
        escaped = character == "\\" and not escaped
    return len(text)


def _unescaped(text: str, place: Place) -> str:
    if "\\" not in text and _LOOSE.search(text) is None:
        return text
    parts: list[str] = []
    index = 0
    while (slash := text.find("\\", index)) >= 0:
        parts.append(text[index:slash])
        letter = text[slash + 1 : slash + 2]
        index = slash + 2
        if letter == "u":
            digits = text[index : index + 4]
            if not _HEX.fullmatch(digits):
                refuse(f"'\\u' takes four hexadecimal digits, found {digits!r}", place)
            parts.append(chr(int(digits, 16)))
            index += 4
        else:
            parts.append(_ESCAPES.get(letter, letter))
    parts.append(text[index:])
    return _paired("".join(parts), place)


def _paired(text: str, place: Place) -> str:
    """Join surrogate pairs, which is how the format writes characters beyond the first 65,536."""
    if _LOOSE.search(text) is None:
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        refuse("half of a surrogate pair, which is no character", place)


def emit(properties: Iterable[Property]) -> str:
    """Write properties in order, each under its comment."""
    return "".join(_lines(each) for each in properties)


def _lines(each: Property) -> str:
    lines = _BREAK.split(each.comment) if each.comment else []
    comment = "".join(f"# {line}\n" if line else "#\n" for line in lines)
    return f"{comment}{_escaped(each.key, ' =:')} ={_value(each.value)}\n"


def _value(value: str) -> str:
    text = _escaped(value, "")
    return f" \\{text}" if text[:1] == " " else f" {text}" if text else ""


def _escaped(text: str, also: str) -> str:
    def escape(character: str) -> str:
        if character in _ESCAPED:
            return _ESCAPED[character]
        return f"\\{character}" if character in also else character

    escaped = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", "".join(map(escape, text)))
    return f"\\{escaped}" if also and escaped[:1] in {"#", "!"} else escaped
