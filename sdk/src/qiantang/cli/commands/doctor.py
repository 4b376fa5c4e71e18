"""`qiantang doctor`: what is wrong with this machine, the servers and the token, with what to do about each."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from qiantang.cli import contexts, failures, output, talk
from qiantang.cli.connection import connect, path, trust
from qiantang.cli.contexts import Context
from qiantang.cli.direct import Direct
from qiantang.cli.output import Column, Table
from qiantang.cli.session import Session, output_option
from qiantang.identity import model
from qiantang.kernel import errors

OLDEST_PYTHON = (3, 11)
LARGEST_OFFSET = 30.0
LEAST_FREE = 200 << 20
DISTRIBUTIONS = ("qiantang", "qiantang-server", "qiantang-gateway", "qiantang-portal")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `bad` things stop work, `warn` things may."""

    check: str
    state: Literal["ok", "warn", "bad"]
    detail: str
    advice: str = ""


TABLE = Table[Finding](
    noun="findings",
    name=lambda one: f"{one.check}={one.state}",
    columns=[
        Column("CHECK", lambda one: one.check),
        Column("STATE", lambda one: one.state),
        Column("DETAIL", lambda one: one.detail),
        Column("WHAT TO DO", lambda one: one.advice),
    ],
)


@click.command()
@output_option
@click.pass_context
def doctor(context: click.Context) -> None:
    """Look for what is wrong with this machine, the servers and your token."""
    session = context.ensure_object(Session)
    findings = [*_machine(), *_installed(), *_folders(), *_control_plane(session)]
    output.show_list(findings, TABLE, session.form)
    bad = [one.check for one in findings if one.state == "bad"]
    if bad:
        talk.problem(f"wrong: {', '.join(bad)}")
        context.exit(failures.FAILED)


def _machine() -> Generator[Finding]:
    version = sys.version.split()[0]
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield Finding("python", "bad", version, "use Python 3.11 or newer")
    else:
        yield Finding("python", "ok", f"{version} at {sys.executable}")


def _installed() -> Generator[Finding]:
    versions = {name: found for name in DISTRIBUTIONS if (found := _version(name))}
    shown = ", ".join(f"{name} {found}" for name, found in versions.items())
    if len(set(versions.values())) > 1:
        yield Finding("versions", "bad", shown, "install the same version of each")
    else:
        yield Finding("versions", "ok", shown)
    for name in versions:
        for extra, missing in _extras(name):
            if missing:
                lacking = talk.names(missing)
                yield Finding(f"extra {extra}", "ok", f"not installed ({lacking}); pip install '{name}[{extra}]'")
            else:
                yield Finding(f"extra {extra}", "ok", f"installed for {name}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _extras(name: str) -> Iterable[tuple[str, list[str]]]:
    found = metadata.distribution(name)
    for extra in found.metadata.get_all("Provides-Extra") or []:
        wanted = [_package(line) for line in found.requires or [] if _of_extra(line, extra)]
        yield extra, [one for one in wanted if not _version(one)]


def _of_extra(requirement: str, extra: str) -> bool:
    marker = requirement.partition(";")[2].replace("'", '"')
    return f'extra == "{extra}"' in marker


def _package(requirement: str) -> str:
    name = requirement.partition(";")[0]
    for sign in "[<>=!~ (":
        name = name.partition(sign)[0]
    return name


def _folders() -> Generator[Finding]:
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    for what, folder in (
        ("data folder", Path(data).expanduser() / "qiantang"),
        ("contexts folder", contexts.default_file(os.environ).parent),
    ):
        standing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(standing).free
        if not os.access(standing, os.W_OK | os.X_OK):
            yield Finding(what, "bad", f"{folder} cannot be written", f"make {standing} writable for you")
        elif free < LEAST_FREE:
            yield Finding(what, "bad", f"{free >> 20} MB are free at {standing}", "make room: it needs 200 MB")
        else:
            yield Finding(what, "ok", f"{folder}, {free >> 30} GB free")


def _control_plane(session: Session) -> Generator[Finding]:
    try:
        context = contexts.in_use(session)
    except errors.MisconfiguredError as error:
        yield Finding("context", "warn", error.detail, "sign in: qiantang login http://HOST:PORT")
        return
    yield Finding("context", "ok", f"{len(context.servers)} servers, user {context.user or 'unknown'}")
    answering = 0
    for server in context.servers:
        found = list(_server(session, context, server))
        answering += all(one.state != "bad" for one in found)
        yield from found
    if answering:
        yield _token(session, context)


def _server(session: Session, context: Context, server: str) -> Generator[Finding]:
    try:
        line = Direct(server, trust(context), session.timeout)
        live, ready = line.ask("/healthz"), line.ask("/readyz")
    except errors.QiantangError as error:
        yield Finding(f"server {server}", "bad", error.detail, "is it started, and is this its address?")
        return
    if live.status != 200:
        yield Finding(f"server {server}", "bad", f"answers /healthz with {live.status}", "is it a control plane?")
        return
    version = _field(live.body, "version")
    shown = f"version {version or 'unknown'}, {live.seconds * 1000:.0f} ms"
    if ready.status != 200:
        parts: dict[str, str] = _field(ready.body, "parts") or {}
        named = [f"{name}: {state}" for name, state in parts.items() if state != "ok"]
        wrong = ", ".join(named) or f"status {ready.status}"
        yield Finding(f"server {server}", "bad", f"{shown}; not ready: {wrong}", "look at the server's log")
    elif version and version != _version("qiantang"):
        yield Finding(f"server {server}", "warn", shown, f"this is version {_version('qiantang')}: use the same")
    else:
        yield Finding(f"server {server}", "ok", f"{shown}, ready")
    if live.clock_offset is not None:
        late = abs(live.clock_offset) > LARGEST_OFFSET
        text = f"{abs(live.clock_offset):.0f} s {'behind' if live.clock_offset > 0 else 'before'} the server's"
        yield Finding("clock", "warn" if late else "ok", text, "set the clock (NTP)" if late else "")


def _token(session: Session, context: Context) -> Finding:
    if not context.token:
        return Finding("token", "warn", "none is kept", "sign in: qiantang login")
    try:
        with connect(session, context) as connection:
            me = connection.get(path("identity", "me"), model.Me)
    except errors.UnauthenticatedError as error:
        return Finding("token", "bad", error.detail, "sign in again: qiantang login")
    except errors.QiantangError as error:
        return Finding("token", "warn", f"could not be checked: {error.detail}")
    roles = ", ".join(sorted({role.role for role in me.roles})) or "no roles"
    return Finding("token", "ok", f"valid for {me.name} ({roles})")


def _field(body: bytes, name: str) -> Any:
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None
    return document.get(name)
