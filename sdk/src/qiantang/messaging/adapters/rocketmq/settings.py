"""Settings: what the brokers of a RocketMQ say of how they are set, and so what they can do."""

from __future__ import annotations

from typing import Final

import msgspec

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq.connection import Connection, Remotes
from qiantang.messaging.adapters.rocketmq.routes import Names
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code
from qiantang.messaging.errors import BrokerAwayError, FeatureMissingError

MEGABYTE: Final = 1024 * 1024
_NOT_YET: Final = frozenset({Answer.SYSTEM_ERROR})
"""In its first moments a broker has counted nothing yet, and fails to say how it is; its version is for people alone."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Of all brokers, the least of what one can.

    `administers`: groups can be made and removed. `holds_back`: messages are held until a time, and given back before it.
    `max_delay` is in seconds, `precision_ms` how much earlier a message may come than it was said to, `max_message` the bytes of a
    body.
    """

    administers: bool = True
    holds_back: bool = True
    max_delay: float = 3 * 86400.0
    precision_ms: int = 1000
    max_message: int = 4 * MEGABYTE
    version: str = ""


async def settings_of(names: Names, remotes: Remotes) -> Settings:
    """Ask the brokers, at least one of which has to answer; what they do not tell has its default.

    Raises:
        BrokerAwayError: nobody answers.
        UnauthenticatedError: they do not let us in.
    """
    try:
        hosts = await names.brokers()
    except (FeatureMissingError, errors.ForbiddenError):
        # a proxy does not say how its brokers are set, and they give nothing back by default
        return Settings(administers=False, holds_back=False)
    found: list[Settings] = []
    failure: errors.QiantangError | None = None
    for host in hosts.values():
        try:
            found.append(await _asked(await remotes.get(host)))
        except BrokerAwayError as error:
            failure = error
        except errors.ForbiddenError:
            found.append(Settings(administers=False, holds_back=False))
    if not found:
        raise failure or BrokerAwayError(
            "the name servers of RocketMQ know no broker: is one running, and in this cluster?"
        )
    return Settings(
        administers=all(one.administers for one in found),
        holds_back=all(one.holds_back for one in found),
        max_delay=min(one.max_delay for one in found),
        precision_ms=max(one.precision_ms for one in found),
        max_message=min(one.max_message for one in found),
        version=min(one.version for one in found),
    )


async def _asked(connection: Connection) -> Settings:
    answer = await connection.ask(Code.CONFIGURATION, {}, doing="asking how a broker is set")
    lines = answer.body.decode(errors="replace").splitlines()
    said = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    doing = "asking a broker for its version"
    runtime = await connection.ask(Code.RUNTIME, {}, doing=doing, passing=_NOT_YET)
    return read_settings(said, _version(runtime.body))


def read_settings(said: dict[str, str], version: str) -> Settings:
    """Read what a broker says of itself."""
    default = Settings()
    precision = _number(said, "timerPrecisionMs", default.precision_ms)
    return Settings(
        holds_back=said.get("timerWheelEnable") == "true" and said.get("recallMessageEnable") == "true",
        max_delay=max(0.0, _number(said, "timerMaxDelaySec", int(default.max_delay)) - 2 * precision / 1000),
        precision_ms=precision,
        max_message=_number(said, "maxMessageSize", default.max_message),
        version=version,
    )


def _number(said: dict[str, str], name: str, default: int) -> int:
    written = said.get(name, "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 16 else default


class _Runtime(msgspec.Struct):
    table: dict[str, str] = {}


def _version(body: bytes) -> str:
    try:
        found = msgspec.json.decode(body, type=_Runtime).table.get("brokerVersionDesc", "")
    except msgspec.MsgspecError:
        return ""
    return found.removeprefix("V").replace("_", ".")
