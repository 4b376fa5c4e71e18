"""Home: where accounts, roles and grants are looked after: a tenant, or the platform itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from qiantang.cli import contexts
from qiantang.cli.connection import Connection, connect, path
from qiantang.cli.identity.nouns import MOST_IN_A_PAGE
from qiantang.cli.place import Place, part_options
from qiantang.cli.session import Session
from qiantang.identity import model
from qiantang.kernel import errors

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")


@dataclass(frozen=True)
class Home:
    """A tenant, or the platform where `tenant` is empty, and a connection to what looks after it."""

    connection: Connection
    tenant: str

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"tenant {self.tenant}" if self.tenant else "the platform"

    def path(self, *parts: str, **query: Any) -> str:
        """Write a path below it."""
        return path("identity", *(("tenants", self.tenant) if self.tenant else ()), *parts, **query)

    def pages(self, plural: str, model_type: type[T], **query: Any) -> list[T]:
        """Read a list of it; for the platform that of all that one may see."""
        return self.connection.pages(self.path(plural, limit=MOST_IN_A_PAGE, **query), model_type)

    def user(self, name: str) -> model.User:
        """Give an account by its name, or by its id.

        Raises:
            NotFoundError: there is none.
        """
        found = [one for one in self.pages("users", model.User) if one.tenant == self.tenant]
        for one in (*(one for one in found if one.name == name), *(one for one in found if one.id == name)):
            return one
        raise errors.NotFoundError(f"there is no user {name!r} of {self}")


def home_options(command: C) -> C:
    """Give a command -t and --platform; it is called with a `place` and `platform`."""
    platform = click.option("--platform", is_flag=True, help="of the platform itself, not of a tenant")
    return part_options("tenant")(platform(command))


@contextmanager
def open_home(session: Session, place: Place, *, platform: bool = False, anywhere: bool = False) -> Generator[Home]:
    """Give the home that is meant; with `anywhere` the platform where no tenant is known.

    Raises:
        UsageError: it is not said.
    """
    context = contexts.in_use(session)
    tenant = "" if platform else place.tenant or context.tenant
    if not (tenant or platform or anywhere):
        raise click.UsageError("in which tenant? give --tenant, or --platform for the platform itself")
    with connect(session, context) as connection:
        yield Home(connection, tenant)
