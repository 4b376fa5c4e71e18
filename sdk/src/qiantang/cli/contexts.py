"""Contexts: the control planes that a person works with, in one file that only he can read."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from qiantang.cli import files, talk
from qiantang.cli.session import Session
from qiantang.kernel import errors
from qiantang.kernel.settings import tomltext

FILE_VARIABLE = "QIANTANG_CLI_CONTEXTS_FILE"
MAX_FILE_BYTES = 1 << 20

_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One control plane: its servers, how to sign in, and the scope that is meant where none is given."""

    servers: list[_Text] = []
    token: _Text = ""
    user: _Text = ""
    ca_file: _Text = ""
    tenant: _Text = ""
    environment: _Text = ""
    center: _Text = ""
    application: _Text = ""

    def __repr__(self) -> str:
        """Never show the token."""
        return f"Context(servers={self.servers!r}, user={self.user!r})"


class Contexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All contexts, and which one is in use."""

    current: str = ""
    contexts: dict[str, Context] = {}

    def find(self, name: str) -> Context:
        """Give a context by name, the current one where none is named.

        Raises:
            MisconfiguredError: there is none of that name, or none at all.
        """
        wanted = name or self.current
        if wanted in self.contexts:
            return self.contexts[wanted]
        if not wanted:
            raise errors.MisconfiguredError("no server is known yet: run qiantang login http://HOST:PORT")
        known = ", ".join(sorted(self.contexts)) or "none"
        raise errors.MisconfiguredError(f"there is no context {wanted!r}; known: {known}")

    def put(self, name: str, context: Context, *, use: bool = True) -> Contexts:
        """Give a copy with the context in it."""
        current = name if use or not self.current else self.current
        return Contexts(current=current, contexts={**self.contexts, name: context})

    def remove(self, name: str) -> Contexts:
        """Give a copy without the context.

        Raises:
            MisconfiguredError: there is none of that name.
        """
        self.find(name)
        left = {key: value for key, value in self.contexts.items() if key != name}
        return Contexts(current="" if self.current == name else self.current, contexts=left)


def default_file(environment: Mapping[str, str]) -> Path:
    """Give the place of the file: QIANTANG_CLI_CONTEXTS_FILE, else in XDG's folder for settings."""
    named = environment.get(FILE_VARIABLE)
    if named:
        return Path(named).expanduser()
    folder = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "qiantang" / "contexts.toml"


def load(file: Path) -> Contexts:
    """Read the file; a missing one holds no contexts. Warns where others can read it.

    Raises:
        MisconfiguredError: it cannot be read or is not of that form.
    """
    try:
        with file.open("rb") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                talk.warn(f"{file} can be read by others and holds tokens: chmod 600 {file}")
            data = opened.read(MAX_FILE_BYTES)
        return msgspec.convert(tomllib.loads(data.decode()), Contexts)
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise errors.MisconfiguredError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise errors.MisconfiguredError(f"{file} is not a file of contexts: {error}") from error


def save(file: Path, contexts: Contexts) -> None:
    """Write the file as a whole or not at all, for its owner alone.

    Raises:
        MisconfiguredError: it cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.MisconfiguredError(f"{file.parent} cannot be made: {error.strerror}") from error
    with files.whole(file) as opened:
        opened.write(_text(contexts).encode())


def in_use(session: Session) -> Context:
    """Give the context that a run works with, with what its options and the environment put over it.

    Raises:
        MisconfiguredError: none is known, or the named one is not.
    """
    known = load(default_file(os.environ))
    if not session.servers:
        found = known.find(session.context_name)
    else:
        named = known.contexts.get(session.context_name or known.current, Context())
        # a token is for the servers that gave it: it never follows an option to another place
        token = named.token if named.servers == session.servers else ""
        found = msgspec.structs.replace(named, servers=session.servers, token=token)
    return msgspec.structs.replace(found, token=session.token) if session.token else found


def _text(contexts: Contexts) -> str:
    lines = ["# Written by qiantang: contexts of the command line. It holds tokens; keep it to yourself."]
    if contexts.current:
        lines.append(f"current = {tomltext.quote(contexts.current)}")
    for name, context in sorted(contexts.contexts.items()):
        fields: dict[str, Any] = msgspec.to_builtins(context)
        lines += ["", f"[contexts.{tomltext.key(name)}]"]
        lines += [f"{key} = {tomltext.value(value)}" for key, value in fields.items()]
    return "\n".join(lines) + "\n"
