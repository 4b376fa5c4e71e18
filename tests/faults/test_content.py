"""Content that is too large, malformed or made to hurt is refused over HTTP, with a place, in bounded memory."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from server.tests.config.rules.hostile import hostile
from tests.servers.platform import Platform
from tests.servers.process import HOST
from tests.servers.product import Application, forget_peak, memory, opened_platforms

pytestmark = pytest.mark.process

MEGABYTE = 1 << 20
HUGE = 40 * MEGABYTE
KIB = 1024
BOMB_KIB = 192 * KIB
"""What one document may cost the server in memory at most, for as long as it is looked at."""


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with opened_platforms() as platforms:
        yield platforms()


@pytest.fixture
def application(platform: Platform) -> Iterator[Application]:
    made = Application(platform)
    made.publish(1)
    yield made
    made.close()


@contextlib.contextmanager
def growth_within(platform: Platform, kib: int) -> Iterator[None]:
    """Pass where the server's memory never rises more than this above where it stands now."""
    forget_peak(platform.pid)
    before = memory(platform.pid)["VmRSS"]
    yield
    peak = memory(platform.pid)["VmHWM"]
    assert peak - before <= kib, f"{(peak - before) // KIB} MiB more at the peak"


def put(application: Application, **body: Any) -> httpx.Response:
    path = f"config/{application.scope}/namespaces/tried"
    return application.api.answer("PUT", path, {"body": body}, **{"If-Match": "*"})


def path_of(application: Application) -> str:
    return f"/api/v1/config/{application.scope}/namespaces/tried"


def head(application: Application, *lines: str) -> bytes:
    words = [
        f"PUT {path_of(application)} HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Bearer {application.api.token}",
        "Content-Type: application/json",
        "If-Match: *",
        *lines,
    ]
    return "\r\n".join([*words, "", ""]).encode()


def test_40_megabytes_are_refused_before_they_are_sent(platform: Platform, application: Application) -> None:
    with growth_within(platform, 8 * KIB), socket.create_connection((HOST, platform.port), timeout=60) as line:
        line.sendall(head(application, f"Content-Length: {HUGE}"))
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status == 413
        assert b'"code":"too_large"' in answer.read()
    assert application.position() == (1, 1)


def test_40_megabytes_without_announcement_are_refused_on_the_way(platform: Platform, application: Application) -> None:
    chunk = b"%x\r\n%s\r\n" % (MEGABYTE, b" " * MEGABYTE)
    # below the limit they are held until it is passed: that much, and not the 40
    with growth_within(platform, 72 * KIB), socket.create_connection((HOST, platform.port), timeout=60) as line:
        line.sendall(head(application, "Transfer-Encoding: chunked"))
        with contextlib.suppress(ConnectionError):
            for _ in range(HUGE // MEGABYTE):
                line.sendall(chunk)
            line.sendall(b"0\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # a reset may overtake the answer
            answer = line.recv(65536)
            assert not answer or answer.startswith(b"HTTP/1.1 413 "), answer
    assert application.position() == (1, 1)


def test_many_at_once_do_not_add_up(platform: Platform, application: Application) -> None:
    with growth_within(platform, 16 * KIB), contextlib.ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection((HOST, platform.port), timeout=60)) for _ in range(20)]
        for line in lines:
            line.sendall(head(application, f"Content-Length: {HUGE}") + b" " * 1000)
        for line in lines:
            assert line.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_namespace_over_its_limit(application: Application) -> None:
    answer = put(application, format="text", document="x" * 12 * MEGABYTE)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert "namespace 'tried'" in answer.json()["detail"]
    # what is stored is bounded above the text itself; that is checked like the rest
    put(application, format="text", document="x" * 2 * MEGABYTE)
    problems = refused(application)
    assert "1048576" in problems[0]["message"].replace(",", "")


def refused(application: Application) -> list[dict[str, Any]]:
    """Pass where check and publish refuse the draft alike; give the problems."""
    checked = application.api.call("POST", f"config/{application.scope}/check")
    assert not checked["ok"]
    answer = application.api.answer("POST", f"config/{application.scope}/releases", {"expected_revision": 1})
    assert answer.status_code == 422, answer.text
    told = answer.json()["problems"]
    assert [one["message"] for one in told] == [one["message"] for one in checked["problems"]]
    found: list[dict[str, Any]] = checked["problems"]
    assert [(one.get("line", 0), one.get("column", 0)) for one in told] == [
        (one["line"], one["column"]) for one in found
    ]
    assert all(one["name"] == "tried" for one in found)
    assert application.position() == (1, 1), "nothing was published"
    return found


MALFORMED: list[tuple[str, dict[str, Any], int, int]] = [
    ("yaml", {"document": "a: 1\nb:\n  - x\n - y\n"}, 4, 2),
    ("yaml", {"document": "a: &x 1\n  b: *y"}, 2, 4),
    ("yaml", {"document": "a: 1\na: 2\n"}, 2, 1),
    ("yaml", {"document": "a: !!python/object/apply:os.system ['id']\n"}, 1, 4),
    ("json", {"document": '{"a": 1,\n "b": }'}, 2, 7),
    ("json", {"document": '{"a": 1, "a": 2}'}, 1, 10),
    ("json", {"document": '{"a": NaN}'}, 1, 7),
    ("toml", {"document": "a = 1\nb = \n"}, 2, 5),
    ("toml", {"document": "a = 1\na = 2\n"}, 2, 0),
    ("json", {"document": "{}", "schema": '{"type": "object",\n "properties": [}'}, 2, 17),
    ("json", {"document": '{"a":\n  "x"}', "schema": '{"properties": {"a": {"type": "integer"}}}'}, 2, 3),
    ("yaml", {"document": "a:\n  b: x\n", "schema": '{"properties": {"a": {"required": ["c"]}}}'}, 2, 3),
    ("json", {"document": "{}", "schema": '{"type": "nothing"}'}, 1, 10),
]


@pytest.mark.parametrize(("kind", "body", "line", "column"), MALFORMED)
def test_malformed_is_refused_with_line_and_column(
    application: Application, kind: str, body: dict[str, Any], line: int, column: int
) -> None:
    put(application, format=kind, **body)
    problems = refused(application)
    assert len(problems) == 1
    assert problems[0]["line"] == line, problems
    assert problems[0]["column"] == column or not column, problems
    assert problems[0]["column"] > 0


def test_all_that_is_wrong_is_told_at_once(application: Application) -> None:
    items = {
        "port": {"value": "many", "type": "number"},
        "on": {"value": "perhaps", "type": "boolean"},
        "deep": {"value": '{"a": 1,\n "b": }', "type": "json"},
        "a": {"value": "1"},
        "a.b": {"value": "2"},
        " spaced": {"value": "1"},
    }
    put(application, format="properties", items=items)
    problems = {one["path"]: one for one in refused(application)}
    assert {"port", "on", "deep", " spaced"} <= problems.keys()
    assert (problems["deep"]["line"], problems["deep"]["column"]) == (2, 7)


def test_bombs_cost_bounded_memory_and_hold_up_nobody(platform: Platform, application: Application) -> None:
    client = application.client()
    client.wait_well()
    answered: list[float] = []
    stopped = threading.Event()

    def others() -> None:
        with httpx.Client(base_url=platform.address, timeout=60) as line:
            while not stopped.is_set():
                began = time.monotonic()
                line.get("/healthz").raise_for_status()
                answered.append(time.monotonic() - began)
                time.sleep(0.02)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        chosen = [one for index, one in enumerate(hostile()) if one[0] == "yaml" and (index < 8 or index % 4 == 0)]
        chosen += [one for one in hostile() if one[0] != "yaml" and one[1].startswith(("escapes", "arrays", "many"))]
        chosen += [one for one in hostile() if one[1] in {"filled with '['", "filled with '{\"a\":'"}]
        for kind, name, text in chosen:
            with growth_within(platform, BOMB_KIB):
                answer = put(application, format=kind, document=text)
                assert answer.status_code in {200, 413, 422}, f"{kind} {name}: {answer.text[:300]}"
                checked = application.api.call("POST", f"config/{application.scope}/check")
                assert checked["ok"] or checked["problems"], f"{kind} {name}"
    finally:
        stopped.set()
        thread.join()
    assert len(answered) > 10
    assert max(answered) < 20, "a bomb holds up everybody else"
    assert client.status.connected
    assert platform.running


def test_a_request_that_is_a_bomb_itself(platform: Platform, application: Application) -> None:
    deep = b'{"body":' * 200_000
    bodies = [
        deep,
        b"[" * MEGABYTE,
        b'{"body":{"format":"json","document":' + b"[" * MEGABYTE,
        b'{"body":{"format":"properties","items":{'
        + b",".join(b'"k%d":{"value":""}' % n for n in range(60_000))
        + b"}}}",
        b'{"body":{"format":"text","document":"' + b"\\u0000" * 100_000 + b'"}}',
        b'{"body":{"format":"text","document":"\\ud800"}}',
        b"\xff\xfe" * 1000,
        b"1" * MEGABYTE,
        b"",
    ]
    headers = {
        "Authorization": f"Bearer {application.api.token}",
        "Content-Type": "application/json",
        "If-Match": "*",
    }
    for body in bodies:
        with growth_within(platform, BOMB_KIB):
            answer = httpx.put(f"{platform.address}{path_of(application)}", content=body, headers=headers, timeout=60)
        assert answer.status_code in {200, 400, 413, 422}, f"{body[:60]!r}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code == 200:  # a draft may be wrong; its check is answered
            checked = application.api.call("POST", f"config/{application.scope}/check")
            assert checked["ok"] or checked["problems"]
        else:
            assert answer.headers["content-type"] == "application/problem+json"
    assert platform.running


SCHEMAS = [
    '{"pattern": "(a+)+$"}',
    '{"properties": {"a": {"$ref": "#/properties/a"}}}',
    '{"$ref": "#"}',
    '{"$ref": "http://127.0.0.1:9/schema"}',
    '{"allOf": [' * 30_000,
    '{"anyOf": [' + ",".join(['{"type": "string", "minLength": 1}'] * 1500) + "]}",
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schemas_made_to_hurt(platform: Platform, application: Application, schema: str) -> None:
    document = '{"a": "' + "a" * 50_000 + '!"}'
    with growth_within(platform, BOMB_KIB):
        put(application, format="json", document=document, schema=schema)
        checked = application.api.call("POST", f"config/{application.scope}/check")
    assert checked["ok"] or checked["problems"]
    assert application.position() == (1, 1)
