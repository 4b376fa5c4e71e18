"""Log lines: records with fields, for people or as JSON. A library never installs them; a process does, once."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, cast

MAX_FIELD = 2000
_MAX_DEPTH = 4

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN = re.compile(r"[^\s\"'=\\]+")


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Give what the caller passed in `extra`, as plain values of bounded size."""
    return {key: _bounded(value) for key, value in vars(record).items() if key not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One JSON object per record and line: time, level, logger, message, the fields, and the error's trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; never raises for a strange value and never holds a line break."""
        line: dict[str, Any] = fields(record)
        line |= {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        ordered = {key: line.pop(key) for key in ("time", "level", "logger", "message")} | line
        return _one_line(json.dumps(ordered, ensure_ascii=False, default=repr))


class HumanFormatter(logging.Formatter):
    """One line per record: time, level, message and key=value fields; an error's trace below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; line breaks in the message and the fields are escaped, so that no value forges a line."""
        pairs = "".join(f" {key}={_quoted(value)}" for key, value in fields(record).items())
        line = f"{_time(record)} {record.levelname:<7} {_one_line(_message(record) + pairs)} [{record.name}]"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return _encodable(line)


def log_to(stream: TextIO, *, style: Literal["human", "json"] = "human", level: int | str = logging.INFO) -> None:
    """Send every log record of the process to `stream`, in place of what handled them before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if style == "json" else HumanFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit the message: say both rather than lose the record
        return f"{record.msg} {record.args!r}"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bounded(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value if len(value) <= MAX_FIELD else f"{value[:MAX_FIELD]}… ({len(value)} characters)"
    if depth < _MAX_DEPTH and isinstance(value, dict):
        pairs = list(cast("Mapping[Any, Any]", value).items())[:100]
        return {str(key): _bounded(item, depth + 1) for key, item in pairs}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_bounded(item, depth + 1) for item in list(cast("Iterable[Any]", value))[:100]]
    return _bounded(_repr(value))


def _repr(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # a value that cannot be shown must not lose the record
        return f"<{type(value).__name__} that raised {type(error).__name__}>"


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.isprintable() else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, default=repr)


def _one_line(text: str) -> str:
    """Escape what is not printable as JSON would: right inside a JSON string too, and no line break is left."""
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
