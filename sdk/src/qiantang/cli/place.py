"""Place: which application a command is about, from its options or the context, and the line to its bundle."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import msgspec
from click.core import ParameterSource

from qiantang.cli import contexts
from qiantang.cli.connection import Connection, bundle_path, connect
from qiantang.cli.session import Session
from qiantang.kernel import errors, release, resource, scope, wire

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")

PARTS: tuple[str, ...] = ("tenant", "environment", "center", "application")
LETTERS: dict[str, str] = dict(zip(PARTS, "teca", strict=True))


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the options say; what is empty comes from the context."""

    tenant: str = ""
    environment: str = ""
    center: str = ""
    application: str = ""

    def names(self, context: contexts.Context, parts: Sequence[str] = PARTS) -> list[str]:
        """Give the name of each part.

        Raises:
            UsageError: a part is given neither by option nor by the context.
            InvalidRequestError: a part is not a name.
        """
        found = {part: getattr(self, part) or getattr(context, part) for part in parts}
        missing = [f"--{part}" for part, value in found.items() if not value]
        if missing:
            raise click.UsageError(f"which {parts[-1]}? give {' '.join(missing)}, or keep them: qiantang context set")
        return [scope.check_name(value, part) for part, value in found.items()]

    def scope(self, context: contexts.Context) -> scope.Scope:
        """Give the scope that is meant.

        Raises:
            UsageError: a part is given neither by option nor by the context.
            InvalidRequestError: a part is not a name.
        """
        return scope.Scope.parse("/".join(self.names(context)))


def part_options(*parts: str, argument: bool = False, own: str = "") -> Callable[[C], C]:
    """Give a command the options of these parts; it is called with a `place`.

    With `argument` it also takes the names as one text, such as center/application, whose end is the last part's name.
    `own` is the part that the command is about, which is never the context's. An application may be written with its center.
    """

    def decorate(command: C) -> C:
        def called(*args: Any, **options: Any) -> Any:
            given = {part: options.pop(part) or "" for part in parts}
            written = options.pop("written", "")
            given = _with_written(given, written) if written else _split(given)
            place = Place(**given)
            return command(*args, place=place, **options)

        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
        wrapped: Any = called
        for part in reversed(parts):
            variable = "" if part == own else f"QIANTANG_CLI_{part.upper()}"
            text = f"name of the {part}" if part == own else f"{part} (else the context's)"
            option = click.option(f"-{LETTERS[part]}", f"--{part}", envvar=variable or None, default="", help=text)
            wrapped = option(wrapped)
        return click.argument("written", default="", metavar=f"[{'/'.join(parts)}]")(wrapped) if argument else wrapped

    return decorate


def place_options(command: C) -> C:
    """Give a command -t -e -c -a; it is called with a `place`."""
    return part_options(*PARTS)(command)


def _split(given: dict[str, str]) -> dict[str, str]:
    """Read an application that was written with its center."""
    center, slash, application = given.get("application", "").partition("/")
    if not slash or "center" not in given:
        return given
    said = click.get_current_context().get_parameter_source("center") is ParameterSource.COMMANDLINE
    if said and given["center"] != center:
        raise click.UsageError(
            f"--application {center}/{application} and --center {given['center']} do not go together"
        )
    return {**given, "center": center, "application": application}


def _with_written(given: dict[str, str], written: str) -> dict[str, str]:
    names = written.split("/")
    if len(names) > len(given):
        raise click.UsageError(f"{written!r} has more than {'/'.join(given)}")
    context = click.get_current_context()
    for part, name in zip(reversed(given), reversed(names), strict=False):
        # what the environment says gives way to what is written, an option that says otherwise is a mistake
        if context.get_parameter_source(part) is ParameterSource.COMMANDLINE and given[part] != name:
            raise click.UsageError(f"{written!r} and --{part} {given[part]} do not go together")
        given[part] = scope.check_name(name, part)
    return given


@dataclass(frozen=True)
class Room:
    """The bundle of one application and capability, and a connection to the control plane that keeps it."""

    connection: Connection
    bundle: resource.Bundle

    def path(self, *parts: str, **query: Any) -> str:
        """Write a path below the bundle."""
        return bundle_path(self.bundle, *parts, **query)

    def get(self, answer_type: type[T], *parts: str, **query: Any) -> T:
        """Read something of the bundle."""
        return self.connection.get(self.path(*parts, **query), answer_type)

    def post(self, answer_type: type[T], body: msgspec.Struct | None, *parts: str) -> T:
        """Do something with the bundle, once."""
        return self.connection.post(self.path(*parts), body, answer_type)

    def pages(self, item_type: type[T], *parts: str, most: int | None = None, **query: Any) -> list[T]:
        """Read a list of the bundle."""
        return self.connection.pages(self.path(*parts, **query), item_type, most=most)

    def find(self, plural: str, name: str) -> release.ResourceDetail | None:
        """Give a resource with its draft, None where neither is there."""
        try:
            return self.get(release.ResourceDetail, plural, name)
        except errors.NotFoundError:
            self.status()  # tells a missing resource from a missing application
            return None

    def save(self, plural: str, name: str, body: Any, version: str) -> release.ResourceDetail:
        """Save the body as the draft, where `version` is still what is there.

        Raises:
            StaleRevisionError: somebody else wrote meanwhile.
        """
        target = self.path(plural, name)
        command = release.DraftCommand(body=body)
        return self.connection.call("PUT", target, command, release.ResourceDetail, version=version, idempotent=False)

    def status(self) -> release.BundleStatus:
        """Say where the bundle stands."""
        return self.get(release.BundleStatus, "status")

    def running_gray(self) -> release.GrayStatus | None:
        """Give the gray release that is running."""
        answer = self.get(msgspec.Raw, "gray")
        return None if bytes(answer) in {b"", b"null"} else wire.decode(bytes(answer), release.GrayStatus)


@contextmanager
def open_room(session: Session, place: Place, capability: str) -> Generator[Room]:
    """Give the room of the application that is meant.

    Raises:
        UsageError: which one is not said.
        MisconfiguredError: no context, or no server in it.
    """
    context = contexts.in_use(session)
    bundle = resource.Bundle(scope=place.scope(context), capability=capability)
    with connect(session, context) as connection:
        yield Room(connection, bundle)


def current_body(detail: release.ResourceDetail) -> Any:
    """Give the body that an edit starts from: the draft's, else what is published; None where it is removed."""
    return detail.published if detail.state == "published" else detail.draft
