"""A small control plane over HTTP, as the command line sees one, and a runner with its own home."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from click.testing import CliRunner, Result

from qiantang.cli.program import program
from qiantang.kernel import errors, resource, secret, wire

TOKEN = "qt_pat_0123_good"
SCOPE = ("acme", "prod", "main", "orders")
PLACE = "/".join(SCOPE)


@dataclass
class Resource:
    published: Any = None
    draft: Any = None
    drafted: bool = False
    version: int = 1

    @property
    def state(self) -> str:
        if not self.drafted:
            return "published"
        if self.draft is None:
            return "removed"
        return "new" if self.published is None else "changed"


@dataclass
class Center:
    """What the control plane holds; `calls` is what it was asked, `interfere` runs once before the next write."""

    address: str = ""
    resources: dict[str, Resource] = field(default_factory=dict)
    revision: int = 0
    releases: list[dict[str, Any]] = field(default_factory=list)
    instances: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    gray: dict[str, Any] | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    sessions: set[str] = field(default_factory=set)
    first_token: str = ""
    protected: bool = False
    chains: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    ready: dict[str, str] = field(default_factory=lambda: {"database": "ok"})
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    refuse: errors.QiantangError | None = None
    interfere: Callable[[], None] | None = None

    def put(self, name: str, items: dict[str, str] | None = None, **body: Any) -> None:
        values = {key: {"value": value} for key, value in (items or {}).items()}
        self.resources[name] = Resource(published={"format": "properties", "items": values, **body})

    # -- calls

    def call(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        url = urlsplit(target)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        data = json.loads(body) if body and headers.get("content-type") == "application/json" else body or None
        self.calls.append((method, target, data))
        if parts == ["healthz"]:
            return 200, {"alive": True, "version": "0.1.0"}
        if parts == ["readyz"]:
            return (200 if set(self.ready.values()) == {"ok"} else 503), {"ready": False, "parts": self.ready}
        if self.refuse is not None:
            raise self.refuse
        assert parts[:2] == ["api", "v1"]
        if parts[2] == "identity":
            return self.identity(method, parts[3:], headers, data)
        self.check(headers)
        if url.path in self.answers:
            return 200, self.answers[url.path]
        if parts[2] == "kinds":
            return 200, [{"capability": "config", "name": "namespace", "plural": "namespaces", "title": "namespaces"}]
        if parts[2] == "audit":
            return self.audit(parts[3:], query)
        if parts[2] == "config" and tuple(parts[3:7]) == SCOPE:
            return self.bundle(method, parts[7:], query, headers, data)
        raise errors.NotFoundError(f"there is no {'/'.join(parts[3:7])}")

    def check(self, headers: Any) -> None:
        if (headers.get("authorization") or "").removeprefix("Bearer ") not in self.tokens:
            raise errors.UnauthenticatedError("the token is not known")

    def identity(self, method: str, parts: list[str], headers: Any, data: Any) -> tuple[int, Any]:
        cookie = (headers.get("cookie") or "").partition("qiantang=")[2].partition(";")[0]
        if parts == ["first-start"]:
            if data["token"] != self.first_token:
                raise errors.UnauthenticatedError("the token of the first start is wrong or used up")
            return self.sign_in()
        if parts == ["login"]:
            if data["password"] != "correct horse":
                raise errors.UnauthenticatedError("name and password do not go together")
            return self.sign_in()
        if parts == ["tokens"] or parts == ["logout"]:
            assert headers.get("x-qiantang") == "1"
            assert headers.get("origin") == self.address
            assert cookie in self.sessions
            if parts == ["logout"]:
                self.sessions.discard(cookie)
                return 204, None
            self.tokens.add("qt_pat_4567_new")
            info = {"id": "4567", "name": data["name"], "permissions": [], "pattern": "*"}
            return 201, {
                "token": "qt_pat_4567_new",
                "info": info | dict.fromkeys(("created_at", "expires_at", "last_used_at"), 0),
            }
        self.check(headers)
        if parts == ["me"]:
            role = {"role": "admin", "pattern": "*", "permissions": ["*:*"]}
            return 200, {"kind": "user", "id": "1", "name": "ann", "tenant": "acme", "via": "token", "roles": [role]}
        if parts == ["tenants"]:
            return 200, {"items": [{"name": "acme", "title": "", "disabled": False, "created_at": 1}]}
        if method == "DELETE" and parts[0] == "tokens":
            self.tokens = {one for one in self.tokens if f"_{parts[1]}_" not in one}
            return 204, None
        raise errors.NotFoundError("/".join(parts))

    def sign_in(self) -> tuple[int, Any]:
        self.sessions.add("s1")
        return 200, {"kind": "user"}

    def audit(self, parts: list[str], query: dict[str, str]) -> tuple[int, Any]:
        chain = parts[1] if parts[0] == "tenants" else "*"
        if parts[-1] == "verify":
            return 200, {"chain": chain, "intact": True, "first": 1, "last": 9, "hash": "ab"} | self.chains.get(
                chain, {}
            )
        before = int(query.get("after", 1 << 30))
        found = [one for one in self.records if one["seq"] < before][: int(query["limit"])]
        more = bool(found) and found[-1]["seq"] > 1
        return 200, {"items": found, "next": str(found[-1]["seq"]) if more else ""}

    def bundle(self, method: str, parts: list[str], query: dict[str, str], headers: Any, data: Any) -> tuple[int, Any]:  # noqa: C901  # a table of routes
        if parts[0] == "namespaces":
            return self.namespaces(method, parts[1:], headers, data)
        if method != "GET" and self.interfere is not None:
            interfere, self.interfere = self.interfere, None
            interfere()
        route = "/".join([method, *parts])
        if route == "GET/status":
            bundle = {"scope": dict(zip(("tenant", "environment", "center", "application"), SCOPE, strict=True))}
            return 200, {"bundle": bundle | {"capability": "config"}, "position": [1, self.revision]}
        if route == "GET/drafts":
            return 200, {"revision": self.revision, "pending": self.pending()}
        if route == "POST/check":
            return 200, {"ok": not self.problems, "problems": self.problems}
        if route == "POST/releases":
            return 200, self.publish(data)
        if route == "GET/releases":
            before = int(query.get("after", 1 << 30))
            found = [one for one in reversed(self.releases) if one["revision"] < before][: int(query["limit"])]
            more = bool(found) and found[-1]["revision"] > 1
            return 200, {"items": found, "next": str(found[-1]["revision"]) if more else ""}
        if parts[0] == "releases" and parts[-1] == "changes":
            change = {"path": "items.port.value", "before": query.get("since"), "after": parts[1]}
            return 200, [self.change("application", "change", [change])]
        if parts[0] == "releases":
            found = [one for one in self.releases if one["revision"] == int(parts[1])]
            if not found:
                raise errors.NotFoundError(f"there is no revision {parts[1]}")
            held = [{"kind": "namespace", "name": "application", "digest": "d" * 64, "body": {"format": "text"}}]
            return 200, {"release": found[0], "resources": held}
        if route == "POST/rollback":
            self.expect(data)
            return 200, self.release("rollback", data["message"])
        if parts[0] == "gray":
            return self.grays(method, parts, data)
        if parts[0] == "requests" and method == "GET":
            return 200, self.requests
        if parts[0] == "requests":
            state = {"approve": "published", "reject": "rejected", "cancel": "cancelled"}[parts[2]]
            return 200, self.request(state) | {"id": parts[1]}
        if route == "GET/instances":
            return 200, {"items": self.instances}
        raise errors.NotFoundError(f"no such path: {route}")

    def namespaces(self, method: str, parts: list[str], headers: Any, data: Any) -> tuple[int, Any]:
        if not parts or parts == [""]:
            items = [
                {"kind": "namespace", "name": name, "state": one.state, "version": str(one.version)}
                for name, one in sorted(self.resources.items())
            ]
            return 200, {"items": items}
        name = parts[0]
        found = self.resources.get(name)
        if method == "GET":
            if found is None:
                raise errors.NotFoundError(f"there is no namespace {name!r}")
            if parts[1:] == ["revealed"]:
                return 200, {"body": found.draft if found.drafted else found.published}
            return 200, self.detail(name, found)
        if self.interfere is not None:
            interfere, self.interfere = self.interfere, None
            interfere()
        found = self.resources.get(name)
        expected = (headers.get("if-match") or "").strip('"')
        if expected != ("0" if found is None else str(found.version)):
            raise errors.StaleRevisionError(f"somebody changed {name} meanwhile")
        found = self.resources.setdefault(name, Resource(version=0))
        found.version += 1
        if method == "DELETE" and parts[1:] == ["draft"]:
            found.draft, found.drafted = None, False
            if found.published is None:
                del self.resources[name]
            return 204, None
        found.draft, found.drafted = (data["body"] if method == "PUT" else None), True
        if found.drafted and found.draft == found.published:
            found.drafted = False
        return (200, self.detail(name, found)) if method == "PUT" else (204, None)

    def detail(self, name: str, one: Resource) -> dict[str, Any]:
        return {
            "kind": "namespace",
            "name": name,
            "state": one.state,
            "version": str(one.version),
            "published": masked(one.published),
            "draft": masked(one.draft) if one.drafted else None,
        }

    def change(self, name: str, action: str, changes: list[Any], version: str = "") -> dict[str, Any]:
        found = {"kind": "namespace", "name": name, "action": action, "version": version}
        return found | {"author": "ann", "edited_at": 1, "changes": changes}

    def pending(self) -> list[dict[str, Any]]:
        actions = {"new": "add", "changed": "change", "removed": "remove"}
        return [
            self.change(
                name,
                actions[one.state],
                wire.builtins(resource.differences(masked(one.published), masked(one.draft))),
                str(one.version),
            )
            for name, one in sorted(self.resources.items())
            if one.drafted
        ]

    def expect(self, data: Any) -> None:
        if data["expected_revision"] != self.revision:
            raise errors.StaleRevisionError(f"the revision is {self.revision}", facts={"revision": self.revision})

    def publish(self, data: Any) -> dict[str, Any]:
        self.expect(data)
        if self.protected or data["at"]:
            self.requests.append(self.request("scheduled" if data["at"] else "waiting") | {"at": data["at"] or 0})
            return {"request": self.requests[-1]}
        only = None if data["only"] is None else [name for _, name in data["only"]]
        for name, one in list(self.resources.items()):
            if one.drafted and (only is None or name in only):
                one.published, one.draft, one.drafted = one.draft, None, False
                if one.published is None:
                    del self.resources[name]
        made = self.release("gray" if data["gray"] else "publish", data["message"])
        if data["gray"]:
            made["gray"] = "g1"
            self.gray = {"id": "g1", "rule": data["gray"], "revision": self.revision, "author": "ann", "started_at": 1}
        return {"release": made}

    def release(self, action: str, message: str) -> dict[str, Any]:
        self.revision += 1
        made = {"revision": self.revision, "epoch": 1, "action": action, "author": "ann", "message": message}
        made |= {"created_at": 1_700_000_000_000, "changed": [["namespace", "application", "change"]]}
        self.releases.append(made)
        return made

    def request(self, state: str) -> dict[str, Any]:
        made = {"id": "r1", "state": state, "author": "ann", "message": "", "created_at": 1, "base_revision": 0}
        return made | {"resources": [["namespace", "application", "change"]]}

    def grays(self, method: str, parts: list[str], data: Any) -> tuple[int, Any]:
        if method == "GET":
            return 200, self.gray
        self.expect(data)
        action = parts[-1] if len(parts) > 1 else "gray_change"
        if self.protected and action != "abort":
            self.requests.append(self.request("waiting") | {"action": action})
            return 200, {"request": self.requests[-1]}
        made = self.release(action, data.get("message", ""))
        if len(parts) > 1:
            self.gray = None
        return 200, made if action == "abort" else {"release": made}


def masked(body: Any) -> Any:
    return secret.replace_secrets(
        body, lambda _path, inside: {"$secret": {"mask": f"m{len(inside.get('value', 'x'))}"}}
    )


def instance(name: str, revision: int, **more: Any) -> dict[str, Any]:
    found = {"instance": {"name": name}, "node": "n", "alive": True, "connected_at": 1, "seen_at": 1}
    return found | {"position": [1, revision], "status": "applied", "current": True, "age_ms": 1500} | more


class Handler(BaseHTTPRequestHandler):
    center: Center
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kind = "application/json"
        try:
            status, answer = self.center.call(self.command, self.path, self.headers, body)
        except errors.QiantangError as error:
            status, answer, kind = error.status, wire.builtins(error.document("req-1")), "application/problem+json"
        data = b"" if status == 204 else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if self.path.endswith(("/login", "/first-start")) and status == 200:
            self.send_header("Set-Cookie", "qiantang=s1; Path=/; HttpOnly")
            self.send_header("Set-Cookie", "qiantang-device=d1; Path=/; HttpOnly")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  # what http.server calls

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def center() -> Iterator[Center]:
    made = Center()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"center": made}))
    server.daemon_threads = True
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Run:
    """Runs the command line; gives what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "contexts.toml"
        self.environment: dict[str, str] = {}

    def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(program, list(arguments), input=stdin, env=self.environment, prog_name="qiantang")
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json").stdout)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    made = Run(tmp_path)
    monkeypatch.setenv("QIANTANG_CLI_CONTEXTS_FILE", str(made.file))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("CONTEXT", "SERVER", "TOKEN", "OUTPUT", "TENANT", "ENVIRONMENT", "CENTER", "APPLICATION", "NO_INPUT"):
        monkeypatch.delenv(f"QIANTANG_CLI_{name}", raising=False)
    return made


@pytest.fixture
def signed_in(run: Run, center: Center) -> Run:
    run("login", center.address, "--token-stdin", stdin=f"{TOKEN}\n")
    run("context", "set", "-t", SCOPE[0], "-e", SCOPE[1], "-c", SCOPE[2], "-a", SCOPE[3])
    center.calls.clear()
    return run
