"""An estate over HTTP beside the small control plane: tenants with all that is below them, held as the API shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from qiantang.identity import errors as identity_errors
from qiantang.identity import model
from qiantang.kernel import errors, wire

NEW: dict[str, type[msgspec.Struct]] = {
    "tenants": model.NewTenant,
    "environments": model.NewEnvironment,
    "centers": model.NewCenter,
    "applications": model.NewApplication,
    "users": model.NewUser,
    "roles": model.NewRole,
    "grants": model.NewGrant,
    "credentials": model.NewCredential,
}
CHANGE: dict[str, type[msgspec.Struct]] = {
    "tenants": model.TenantChange,
    "environments": model.EnvironmentChange,
    "applications": model.ApplicationChange,
    "users": model.UserChange,
}
IDENTIFIED = {"users", "grants", "credentials", "tokens", "sessions"}
SECRET = "s3cr3t-shown-once"
ME = {"kind": "user", "id": "u0", "name": "ann", "tenant": "acme", "via": "token", "roles": []}


@dataclass
class Estate:
    """What it holds, by path; a path of even length is one thing, of odd length a list of them."""

    center: Any
    held: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    passwords: list[Any] = field(default_factory=list)
    questions: list[tuple[str, Any]] = field(default_factory=list)
    me: dict[str, Any] = field(default_factory=lambda: dict(ME))

    def put(self, path: str, **fields: Any) -> None:
        """Hold something."""
        parts = tuple(path.split("/"))
        places = dict(zip((one.removesuffix("s") for one in parts[:-2:2]), parts[1:-2:2], strict=False))
        own = {"id": parts[-1]} if parts[-2] in IDENTIFIED else {"name": parts[-1]}
        usual = {"tenant": "", "title": "", "disabled": False, "protected": False, "owner": "", "created_at": 1}
        self.held[parts] = {**usual, **places, **own, **fields}

    def call(self, method: str, parts: list[str], headers: Any, data: Any) -> tuple[int, Any]:
        """Answer as the API does; what signs in is the small control plane's."""
        if parts in (["login"], ["logout"], ["first-start"]) or (method, parts) == ("POST", ["tokens"]):
            return type(self.center).identity(self.center, method, parts, headers, data)
        if parts == ["me", "password"]:
            assert "qiantang=s1" in headers["cookie"]
            self.passwords.append(wire.convert(data, model.PasswordChange))
            return 204, None
        self.center.check(headers)
        if parts == ["me"]:
            return 200, self.me
        if parts[-1] == "explain":
            self.questions.append(("/".join(parts), wire.convert(data, model.AccessQuestion)))
            return 200, {"allowed": False, "explanation": "it is not granted", "misses": ["role x elsewhere"]}
        if parts[-1] == "rotate":
            return 201, self.issue(parts[:-2], {"title": "rotated", **data})
        return self.collection(method, parts, data) if len(parts) % 2 else self.one(method, tuple(parts), data)

    def collection(self, method: str, parts: list[str], data: Any) -> tuple[int, Any]:
        plural = parts[-1]
        if method == "GET" and parts[2:] == ["applications"]:
            (center,) = parse_qs(urlsplit(self.center.calls[-1][1]).query).get("center", [""])
            found = [
                value
                for path, value in sorted(self.held.items())
                if path[-2] == plural and path[1] == parts[1] and center in {"", path[3]}
            ]
            return 200, {"items": found, "next": ""}
        if method == "GET":
            depth = len(parts) + 1
            anywhere = plural in {"users", "grants", "roles"} and len(parts) == 1
            found = [
                value
                for path, value in sorted(self.held.items())
                if path[-2] == plural and (anywhere or (len(path) == depth and list(path[:-1]) == parts))
            ]
            return 200, {"items": found, "next": ""}
        wire.convert(data, NEW[plural])
        if plural == "credentials":
            return 201, self.issue(parts, data)
        name = f"{plural[0]}{len(self.held)}" if plural in IDENTIFIED else data["name"]
        if (*parts, name) in self.held:
            raise identity_errors.ExistsError(f"{name} exists already")
        if plural == "grants":
            data = {**data, "user_name": data["user"], "granted_by": "ann"}
        if plural == "users":
            self.passwords.append(data.pop("password"))
        self.put("/".join((*parts, name)), **data)
        return 201, self.held[(*parts, name)]

    def one(self, method: str, path: tuple[str, ...], data: Any) -> tuple[int, Any]:
        if path not in self.held:
            raise errors.NotFoundError(f"there is no {path[-2].removesuffix('s')} {path[-1]!r}")
        if method == "DELETE":
            del self.held[path]
            return 204, None
        if method == "PATCH":
            wire.convert(data, CHANGE[path[-2]])
            self.held[path] |= {name: value for name, value in data.items() if value is not None}
            if data.get("password"):
                self.passwords.append(self.held[path].pop("password"))
        return 200, self.held[path]

    def issue(self, parts: list[str], data: dict[str, Any]) -> dict[str, Any]:
        tenant, center, application, environment = parts[1::2]
        scope = {"tenant": tenant, "environment": environment, "center": center, "application": application}
        self.put("/".join((*parts, "qtc-new")), title=data["title"])
        return {"id": "qtc-new", "secret": SECRET, "scope": scope, "expires_at": data.get("expires_at", 0)}


@pytest.fixture
def estate(center: Any, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """The estate of the control plane."""
    made = Estate(center)
    monkeypatch.setattr(center, "identity", made.call)
    return made


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person sits there."""
    monkeypatch.setattr("qiantang.cli.talk.is_terminal", lambda: True)


@pytest.fixture
def posted(center: Any) -> Any:
    """Give what was asked for with a method, since the fixture was made."""

    def found(method: str) -> list[tuple[str, Any]]:
        return [
            (target.removeprefix("/api/v1/identity/"), data) for verb, target, data in center.calls if verb == method
        ]

    return found
