"""Formats: what the `format` keyword of a schema asserts, each checked in time linear in the text.

date, time, date-time, duration, email, hostname, ipv4, ipv6, uri, uuid, json-pointer, regex. Others assert
nothing, as the standard has it.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from qiantang_server.config.rules import patterns

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII)
_DURATION = re.compile(
    r"P(?!\Z)(?:\d++W|(?:\d++Y)?(?:\d++M)?(?:\d++D)?(?:T(?!\Z)(?:\d++H)?(?:\d++M)?(?:\d++(?:\.\d++)?S)?)?)\Z", re.ASCII
)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_LOCAL = re.compile(r"[^\s@\x00-\x20\x7f]{1,64}\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:[!#$%&'()*+,/:;=?@\[\]A-Za-z0-9._~-]*+\Z")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*+)*+\Z")


def _is_date(text: str) -> bool:
    return bool(_DATE.match(text)) and bool(datetime.date.fromisoformat(text))


def _is_time(text: str) -> bool:
    # A leap second is a time, which Python's has no place for.
    return bool(_TIME.match(text)) and bool(datetime.time.fromisoformat(re.sub(r":60", ":59", text[:8])))


def _is_date_time(text: str) -> bool:
    return text[10:11] in {"T", "t", " "} and _is_date(text[:10]) and _is_time(text[11:])


def _is_hostname(text: str) -> bool:
    return len(text) <= 253 and all(_LABEL.match(label) for label in text.removesuffix(".").split("."))


def _is_email(text: str) -> bool:
    local, at, host = text.rpartition("@")
    return bool(at) and bool(_LOCAL.match(local)) and _is_hostname(host)


def _is_uri(text: str) -> bool:
    return bool(_URI.match(text)) and bool(urlsplit(text).scheme)


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and str(uuid.UUID(text)) == text.lower()


def _is_ipv6(text: str) -> bool:
    return "%" not in text and bool(ipaddress.IPv6Address(text).compressed)


FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "date": _is_date,
    "time": _is_time,
    "date-time": _is_date_time,
    "duration": lambda text: bool(_DURATION.match(text)),
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": lambda text: bool(ipaddress.IPv4Address(text).compressed),
    "ipv6": _is_ipv6,
    "uri": _is_uri,
    "uuid": _is_uuid,
    "json-pointer": lambda text: bool(_POINTER.match(text)),
    "regex": lambda text: bool(patterns.compiled(text)),
}


def conforms(name: str, value: object) -> bool:
    """Say whether a value is of a format; what is not text, and formats that are not known, always are."""
    check = FORMATS.get(name)
    if check is None or not isinstance(value, str):
        return True
    try:
        return check(value)
    except (ValueError, patterns.PatternError):
        return False
