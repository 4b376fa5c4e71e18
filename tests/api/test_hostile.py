"""What comes over the wire from whoever hates us: refused in our own words, in bounded memory, and never a failure."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.holders import OWN
from tests.api.routes import Route, routes
from tests.api.test_roles import REST
from tests.servers.platform import PASSWORD, USER, Api, Platform
from tests.servers.process import HOST
from tests.servers.product import forget_peak, memory

pytestmark = pytest.mark.process

ROUTES = routes()
SCOPE = "/".join(OWN.values())
DRAFT = f"/api/v1/config/{SCOPE}/namespaces/application"
MIB = 1 << 20


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as started:
        yield ready(started)


@pytest.fixture(scope="module")
def on_postgresql(request: pytest.FixtureRequest) -> Iterator[Platform]:
    server = request.getfixturevalue("postgresql_server")
    url = server.create_database()
    with Platform(f"--database-url={url}") as started:
        yield ready(started)
    server.drop_database(url)


@pytest.fixture(params=["platform", pytest.param("on_postgresql", marks=pytest.mark.postgresql)])
def any_platform(request: pytest.FixtureRequest) -> Platform:
    """The embedded database takes nearly everything, PostgreSQL nearly nothing: what they refuse must not be seen."""
    found: Platform = request.getfixturevalue(request.param)
    return found


def ready(platform: Platform) -> Platform:
    api = platform.administrator()
    api.make_application(SCOPE)
    api.set(SCOPE, {"greeting": "hi"})
    api.publish(SCOPE)
    return platform


@pytest.fixture
def api(platform: Platform) -> Api:
    return platform.administrator()


@pytest.fixture(autouse=True)
def unharmed(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test the server answers and has logged no failure of its own."""
    platform: Platform = request.getfixturevalue(
        "any_platform" if "any_platform" in request.fixturenames else "platform"
    )
    before = platform.log_file.stat().st_size
    yield
    assert platform.running
    assert httpx.get(f"{platform.address}/readyz", timeout=30).status_code == 200
    said = platform.log_file.read_bytes()[before:].decode(errors="replace")
    assert "Traceback" not in said, said[-4000:]


class Line:
    """One connection, spoken to in bytes."""

    def __init__(self, platform: Platform) -> None:
        self.socket = socket.create_connection((HOST, platform.port), timeout=30)

    def send(self, data: bytes) -> bool:
        """Send; say whether the other side still took it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer; status 0 where the line was closed without one."""
        response = http.client.HTTPResponse(self.socket)
        try:
            response.begin()
        except (http.client.HTTPException, OSError):
            return 0, {}, b""
        headers = {name.lower(): value for name, value in response.getheaders()}
        with contextlib.suppress(OSError, http.client.HTTPException):
            return response.status, headers, response.read()
        return response.status, headers, b""

    def closed(self) -> bool:
        """Say whether the other side has closed the line."""
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def line(platform: Platform) -> Iterator[Callable[[], Line]]:
    """Open connections that end with the test."""
    made: list[Line] = []

    def open_one() -> Line:
        made.append(Line(platform))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


def head(api: Api, method: str, path: str, *headers: str) -> bytes:
    own = ("Host: x", f"Authorization: Bearer {api.token}", *headers)
    return "\r\n".join((f"{method} {path} HTTP/1.1", *own, "", "")).encode("utf-8", "surrogateescape")


def require_problem(status: int, headers: dict[str, str], body: bytes, told: object = "") -> dict[str, Any]:
    """Pass where an answer is a problem in our own words."""
    assert 400 <= status < 500, (told, status, body[:300])
    assert headers["content-type"].startswith("application/problem+json"), (told, headers)
    problem = json.loads(body)
    assert problem["code"], told
    assert problem["status"] == status, told
    return problem


# paths, queries, headers

WILD = (
    "%00", "a%00b", "%ff", "%ed%a0%80", "%c0%af", "..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc", "%2F", "a%2Fb", "*", "'", "%22",
    "%5C", ";", "%0a", "%0d%0aX-Injected:%201", "%09", "%20", "%", "%zz", "%u0041", "-1", "0", str(1 << 63), str(-(1 << 63)),
    "9" * 400, "1e309", "NaN", "null", "true", "[]", "%7B%7D", "x" * 3000, quote("钱塘"), quote("\u202e\u0000\ufeff"),
    quote("e\u0301" * 200), "ORDER", "order%20", "acme/dev", "__class__", "${jndi:ldap://x}", "{{7*7}}", "' or 1=1--",
)  # fmt: skip


def legal(text: str) -> str:
    return text.replace(" ", "%20")


def test_no_name_in_a_path_makes_a_failure(any_platform: Platform) -> None:
    platform, api = any_platform, any_platform.administrator()
    connection = http.client.HTTPConnection(HOST, platform.port, timeout=30)
    asked = 0
    for route in ROUTES:
        names = [name for name in {**REST, **OWN} if f"{{{name}}}" in route.path]
        for number, name in enumerate(names):
            for wild in WILD[number % 3 :: 3]:
                path = route.filled({**REST, **OWN, name: wild})
                status, headers, body = ask(connection, api, route, path)
                told = f"{route.method} {path[:300]}: {status} {body[:300]!r}"
                assert status < 500, told
                assert "x-injected" not in headers, told
                if status >= 400:
                    require_problem(status, headers, body, told)
                asked += 1
    assert asked > 1000
    connection.close()


def test_nothing_in_a_query_makes_a_failure(any_platform: Platform) -> None:
    platform, api = any_platform, any_platform.administrator()
    document = api.call("GET", "openapi/openapi.json")
    connection = http.client.HTTPConnection(HOST, platform.port, timeout=30)
    for route in ROUTES:
        operation = document["paths"].get(route.path, {}).get(route.method.lower(), {})
        known = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
        for number, name in enumerate(known, start=len(route.path)):
            for wild in map(legal, WILD[number % 4 :: 4]):
                path = f"{route.filled({**REST, **OWN})}?{name}={wild}"
                status, headers, body = ask(connection, api, route, path)
                told = f"{route.method} {path[:300]}: {status} {body[:300]!r}"
                assert status < 500, told
                if status >= 400:
                    require_problem(status, headers, body, told)
    connection.close()


def ask(connection: http.client.HTTPConnection, api: Api, route: Route, path: str) -> tuple[int, dict[str, str], bytes]:
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json", "If-Match": "*"}
    body = None if route.method == "GET" else b'{"impossible": 1}'
    if "logout" in route.path:
        return 204, {}, b""
    connection.putrequest(route.method, legal(path), skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body or b"")))
    connection.endheaders(body)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    if "event-stream" in found.get("content-type", ""):
        connection.close()
        return response.status, found, b""
    return response.status, found, response.read()


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"p{number}={number}" for number in range(10_000)),
        "&".join("after=x" for _ in range(5000)),
        "&".join(f"limit={number}" for number in range(2000)),
        "&" * 30_000,
        "=" * 30_000,
        "after=" + "x" * 60_000,
        "limit=" + "9" * 5000,
        "after[]=1&after[a]=2&after.b=3",
    ],
    ids=["many", "same", "numbers", "ampersands", "equals", "long", "digits", "brackets"],
)
def test_queries_without_measure_are_answered(api: Api, query: str, line: Callable[[], Line]) -> None:
    one = line()
    one.send(head(api, "GET", f"/api/v1/identity/tenants?{query}", "Connection: close"))
    status, headers, body = one.answer()
    assert status in {200, 422, 431}, (status, body[:300])
    if status != 200:
        require_problem(status, headers, body)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["X-A: " + "a" * 70_000], {431}),
        ([f"X-{number}: {'a' * 100}" for number in range(1000)], {431}),
        (["X-A: \udcff\udcfe"], {200, 400}),
        (["X-A: a\x00b"], {400}),
        (["X-\x00: b"], {400}),
        (["Cookie: " + "; ".join(f"c{number}=x" for number in range(3000))], {200}),
        (["Cookie: ;;;=;=;qiantang;qiantang=\udcff"], {200}),
        (["X-Request-Id: " + "x" * 5000], {200}),
        (["X-Request-Id: a\tb <script>"], {200}),
        (["Traceparent: 00-" + "z" * 32 + "-00-00", "Traceparent: -"], {200}),
        (["Content-Length: 5", "Content-Length: 6"], {400}),
        (["Content-Length: -1"], {400}),
        (["Content-Length: " + "9" * 30], {400, 413}),
        (["Transfer-Encoding: chunked", "Content-Length: 5"], {400}),
        (["Transfer-Encoding: xchunked"], {200, 400}),
        (["Range: bytes=0-" + "9" * 400], {200}),
        (["Accept-Encoding: " + ", ".join(["gzip;q=0.1"] * 2000)], {200}),
        (["If-None-Match: *", "If-Match: " + '"' * 1000], {200}),
        (["X-Forwarded-For: 1.2.3.4\udcff", "X-Forwarded-Proto: javascript"], {200}),
        (["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x"], {200}),
        (["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: x"], {200}),
    ],
)
def test_headers_of_every_kind_are_answered(
    api: Api, lines: Sequence[str], expected: set[int], line: Callable[[], Line]
) -> None:
    one = line()
    one.send(head(api, "GET", "/api/v1/identity/roles", *lines))
    status, headers, body = one.answer()
    assert status in expected, (status, body[:300])
    if status != 200:
        require_problem(status, headers, body)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v1/identity/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"\r\n" * 5000 + b"x",
        b"\x00" * 5000,
    ],
)
def test_what_is_no_http_is_refused_in_our_words(data: bytes, line: Callable[[], Line]) -> None:
    one = line()
    one.send(data)
    require_problem(*one.answer())


# bodies


def bodies() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "no JSON", b"\xff\xfe{"
    yield "half", b'{"name": "x'
    yield "deep arrays", b"[" * 100_000
    yield "deep objects", b'{"a":' * 100_000
    yield "deep and closed", b'{"name":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    yield "deep body", b'{"body":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}"
    yield "many keys", json.dumps({f"k{number}": 1 for number in range(30_000)}).encode()
    yield "same key", b'{"name": "a", "name": "b"}'
    yield "huge number", b'{"expected_revision": ' + b"9" * 400_000 + b"}"
    yield "big number", b'{"expected_revision": 99999999999999999999999}'
    yield "float", b'{"expected_revision": 1e400}'
    yield "not a number", b'{"expected_revision": NaN}'
    yield "half a pair", b'{"name": "\\ud800"}'
    yield "nul", b'{"name": "a\\u0000b", "title": "\\u0000", "expected_revision": 1, "message": "\\u0000"}'
    yield "null", b"null"
    yield "text", b'"x"'
    yield "utf-16", '{"name": "x"}'.encode("utf-16")
    yield "long text", b'{"name": "' + b"x" * 500_000 + b'"}'
    yield "escapes", b'{"name": "' + b"\\u0041" * 80_000 + b'"}'


@pytest.mark.parametrize(("name", "body"), list(bodies()), ids=[name for name, _ in bodies()])
def test_no_body_makes_a_failure_on_any_route(any_platform: Platform, name: str, body: bytes) -> None:
    platform, api = any_platform, any_platform.administrator()
    before = memory(platform.pid)["VmRSS"]
    for route in ROUTES:
        if route.method == "GET" or "logout" in route.path or route.path.endswith("/{session}"):
            continue
        if route.method == "DELETE":
            continue  # reads no body
        for media in ("application/json", "text/plain"):
            path = route.filled({**REST, **OWN})
            headers = {"Content-Type": media, "If-Match": "*"}
            answer = api.client.request(route.method, path, content=body, headers=headers)
            assert answer.status_code < 500, f"{route}: {answer.status_code} {answer.text[:300]}"
            if answer.status_code >= 400:
                require_problem(answer.status_code, dict(answer.headers), answer.content, str(route))
    assert memory(platform.pid)["VmRSS"] - before < 64 * 1024, "the server kept what it was sent"


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/v1/identity/login", MIB),
        ("/api/v1/watch/stream", MIB),
        ("/api/v1/identity/tenants", MIB),
        (DRAFT, 24 * MIB),
    ],
)
def test_a_body_whose_length_is_over_the_limit_is_refused_before_it_comes(
    api: Api, path: str, limit: int, line: Callable[[], Line]
) -> None:
    method = "PUT" if path == DRAFT else "POST"
    one = line()
    one.send(head(api, method, path, f"Content-Length: {limit + 1}", "Content-Type: application/json", "If-Match: *"))
    problem = require_problem(*one.answer())
    assert problem["code"] == "too_large"


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/api/v1/identity/login", 4), ("/api/v1/identity/tenants", 4), ("/api/v1/watch/stream", 4), (DRAFT, 60)],
)
def test_forty_megabytes_that_come_slowly_are_never_held(
    platform: Platform, api: Api, path: str, kept: int, line: Callable[[], Line]
) -> None:
    """`kept` is what memory may grow by at most, in MiB: a draft may have 24, and is put together from its parts once."""
    method = "PUT" if path == DRAFT else "POST"
    forget_peak(platform.pid)
    before = memory(platform.pid)["VmHWM"]
    one = line()
    one.send(head(api, method, path, "Transfer-Encoding: chunked", "Content-Type: application/json", "If-Match: *"))
    part = b" " * (64 << 10)
    for number in range(640):
        if not one.send(b"%x\r\n%b\r\n" % (len(part), part)):
            break
        if number % 64 == 0:
            time.sleep(0.02)
    one.send(b"0\r\n\r\n")
    problem = require_problem(*one.answer())
    assert problem["code"] == "too_large"
    assert memory(platform.pid)["VmHWM"] - before < kept * 1024


def test_a_stranger_is_refused_before_his_body_is_read(platform: Platform, line: Callable[[], Line]) -> None:
    forget_peak(platform.pid)
    before = memory(platform.pid)["VmHWM"]
    one = line()
    one.send(f"PUT {DRAFT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    part = b" " * (64 << 10)
    for _ in range(640):
        if not one.send(b"%x\r\n%b\r\n" % (len(part), part)):
            break
    assert one.answer()[0] == 401
    assert memory(platform.pid)["VmHWM"] - before < 4 * 1024


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /" + b"a" * 1000,
        b"GET / HTTP/1.1\r\nX-A: ",
        b"POST /api/v1/identity/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
        b"POST /api/v1/identity/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["line", "header", "trailer", "extension"],
)
def test_what_never_ends_is_cut_off(platform: Platform, begun: bytes, line: Callable[[], Line]) -> None:
    forget_peak(platform.pid)
    before = memory(platform.pid)["VmHWM"]
    one = line()
    one.send(begun)
    sent = 0
    while sent < 60 * MIB and one.send(b"a" * (64 << 10)):
        sent += 64 << 10
    assert sent < 60 * MIB, "the server takes it in for ever"
    assert memory(platform.pid)["VmHWM"] - before < 4 * 1024


def test_many_connections_that_say_nothing_keep_nobody_out(platform: Platform, line: Callable[[], Line]) -> None:
    silent = [line() for _ in range(300)]
    halves = [line() for _ in range(300)]
    for one in halves:
        one.send(b"POST /api/v1/identity/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert httpx.get(f"{platform.address}/healthz", timeout=10).status_code == 200
    assert all(one.send(b"") for one in silent)


def test_pipelined_requests_are_answered_in_order(api: Api, line: Callable[[], Line]) -> None:
    one = line()
    paths = ["/healthz", "/api/v1/identity/me", "/api/v1/nowhere", "/healthz"] * 30
    one.send(b"".join(head(api, "GET", path) for path in paths))
    said = b""
    while len(statuses := re.findall(rb"HTTP/1\.1 (\d{3}) ", said)) < len(paths) and (more := one.socket.recv(1 << 16)):
        said += more
    assert [int(status) for status in statuses] == [200, 200, 404, 200] * 30


def test_a_smuggled_request_is_not_answered(api: Api, line: Callable[[], Line]) -> None:
    one = line()
    inner = head(api, "GET", "/api/v1/identity/me").decode()
    one.send(head(api, "POST", "/api/v1/identity/me/explain", "Content-Length: 4", "Transfer-Encoding: chunked"))
    one.send(f"0\r\n\r\n{inner}".encode())
    status, _, _ = one.answer()
    assert status == 400
    assert one.closed()


# other sites


def test_a_cookie_alone_changes_nothing(platform: Platform) -> None:
    """Every route that could change something, asked as another site's page could have a browser ask."""

    with httpx.Client(base_url=platform.address, timeout=30) as browser:
        browser.post("/api/v1/identity/login", json={"name": USER, "password": PASSWORD}).raise_for_status()
        assert browser.get("/api/v1/identity/me").status_code == 200
        foreign = (
            {},
            {"X-Qiantang": "1"},
            {"X-Qiantang": "1", "Origin": "https://evil.test"},
            {"X-Qiantang": "1", "Origin": "null"},
            {"X-Qiantang": "1", "Sec-Fetch-Site": "cross-site"},
            {"X-Qiantang": "1", "Sec-Fetch-Site": "same-site", "Origin": platform.address},
            {"Sec-Fetch-Site": "same-origin"},
            {"Origin": platform.address},
            {"X-Qiantang": "1", "Origin": f"{platform.address}.evil.test"},
            {"X-Qiantang": "1", "Origin": f"http://{HOST}:1"},
        )
        judged = 0
        for route in ROUTES:
            if route.method == "GET" or route.public:
                continue
            for headers in foreign:
                for media in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
                    path = route.filled({**REST, **OWN})
                    sent = {**headers, "Content-Type": media, "If-Match": "*"}
                    answer = browser.request(route.method, path, content=b"{}", headers=sent)
                    told = f"{route} {headers}: {answer.status_code} {answer.text[:200]}"
                    assert (answer.status_code, answer.json()["code"]) == (403, "access.cross_site"), told
                    judged += 1
        assert judged > 1000
        assert browser.get("/api/v1/identity/me").status_code == 200, "nobody was signed out"
        honest = {"X-Qiantang": "1", "Sec-Fetch-Site": "same-origin"}
        assert browser.post("/api/v1/identity/logout", headers=honest).status_code == 204
        assert browser.get("/api/v1/identity/me").status_code == 401
