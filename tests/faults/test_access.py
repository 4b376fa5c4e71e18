"""Forged, expired and replayed proof is refused over HTTP; who lost his rights is told within seconds, on every server."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from qiantang.kernel import ids, protocol
from tests.servers.platform import Platform
from tests.servers.product import Application, Client, eventually, opened_platforms

pytestmark = pytest.mark.process

SHORT_TOKEN_SECONDS = 2


class House:
    """Two servers on one SQLite file; the second one's tokens are short-lived."""

    def __init__(self, first: Platform, second: Platform) -> None:
        self.first = first
        self.second = second
        self.servers = (first, second)
        self.made: list[Application] = []

    def application(self) -> Application:
        """Make an application that has the number 1."""
        self.made.append(Application(self.first))
        self.made[-1].publish(1)
        return self.made[-1]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with opened_platforms() as platforms:
        first = platforms()
        second = platforms(f"--set=identity.token={SHORT_TOKEN_SECONDS}s", share=first)
        made = House(first, second)
        yield made
        for application in made.made:
            application.close()


def ask(
    platform: Platform, method: str, path: str, body: object = None, bearer: str = "", **headers: str
) -> httpx.Response:
    """Send one request with whatever proof."""
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    content = msgspec.json.encode(body) if body is not None else None
    headers["Content-Type"] = "application/json"
    return httpx.request(method, f"{platform.address}{path}", content=content, headers=headers, timeout=30)


def proof(application: Application, *, secret: str = "", credential: str = "", shift: int = 0) -> protocol.TokenRequest:
    """Sign a token request, `shift` seconds off."""
    credential = credential or application.credential
    timestamp, nonce = int((time.time() + shift) * 1000), ids.secret_token()[:32]
    key = protocol.signing_key(secret or application.secret)
    signature = protocol.sign(key, credential, timestamp, nonce)
    return protocol.TokenRequest(credential=credential, timestamp=timestamp, nonce=nonce, signature=signature)


def exchange(platform: Platform, request: protocol.TokenRequest) -> httpx.Response:
    return ask(platform, "POST", protocol.TOKEN_PATH, request)


def token(platform: Platform, application: Application) -> str:
    answer = exchange(platform, proof(application))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def fetch(platform: Platform, application: Application, bearer: str) -> httpx.Response:
    """Ask for what is published for an application."""
    scope = application.names
    body = {"instance": {"name": "i"}, "bundle": {"scope": scope, "capability": "config"}}
    return ask(platform, "POST", protocol.FETCH_PATH, body, bearer)


def require_refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Pass where the answer is this problem, and give it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code, problem
    assert "number" not in answer.text
    return problem


def test_a_token_request_that_is_not_signed_by_the_credential(house: House) -> None:
    application, other = house.application(), house.application()
    wrong = [
        proof(application, secret=other.secret),
        proof(application, secret="guess"),
        proof(application, credential=other.credential),
        proof(application, credential="qtc-unknown"),
        msgspec.structs.replace(proof(application), nonce="0" * 32),
        msgspec.structs.replace(proof(application), signature="0" * 64),
        msgspec.structs.replace(proof(application), signature="é" * 64),
    ]
    for request in wrong:
        require_refused(exchange(house.first, request), 401, "identity.bad_credential")


def test_a_replayed_token_request_on_either_server(house: House) -> None:
    request = proof(house.application())
    assert exchange(house.first, request).status_code == 200
    for server in house.servers:
        require_refused(exchange(server, request), 401, "identity.replayed")


def test_an_old_token_request_is_told_the_time(house: House) -> None:
    application = house.application()
    for shift in (-3600, 3600):
        problem = require_refused(exchange(house.first, proof(application, shift=shift)), 401, "identity.clock_skew")
        assert abs(problem["facts"]["server_time"] / 1000 - time.time()) < 60


def test_forged_bearer_tokens(house: House) -> None:
    application = house.application()
    good = token(house.first, application)
    assert fetch(house.first, application, good).status_code == 200
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    kid = json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]

    def encoded(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    forged = [
        f"{encoded({'alg': 'none', 'kid': kid})}.{body}.",
        f"{encoded({'alg': 'none'})}.{body}.{signature}",
        f"{head}.{encoded({**claims, 'exp': claims['exp'] + 9999})}.{signature}",
        jwt.encode({"alg": "HS256", "kid": kid}, claims, OctKey.import_key(b"s" * 32)),
        good[:-2],
        "a.b.c",
        "qt_pat_0123456789abcdef_" + "0" * 64 + "_00000000",
        "x" * 5000,
    ]
    for text in forged:
        require_refused(fetch(house.first, application, text), 401, "identity.token_ended")


def test_an_expired_bearer_token_on_either_server(house: House) -> None:
    application = house.application()
    short = token(house.second, application)
    assert fetch(house.second, application, short).status_code == 200
    eventually(lambda: fetch(house.second, application, short).status_code == 401)
    for server in house.servers:
        require_refused(fetch(server, application, short), 401, "identity.token_ended")


def test_an_expired_credential(house: House) -> None:
    application = house.application()
    tenant, environment, center, name = application.scope.split("/")
    path = f"identity/tenants/{tenant}/centers/{center}/applications/{name}/environments/{environment}/credentials"
    issued = application.api.call("POST", path, {"title": "short", "expires_at": int((time.time() + 3) * 1000)})
    application.credential, application.secret = issued["id"], issued["secret"]
    bearer = token(house.first, application)
    eventually(lambda: exchange(house.first, proof(application)).status_code == 401)
    require_refused(exchange(house.second, proof(application)), 401, "identity.credential_ended")
    assert fetch(house.second, application, bearer).status_code == 401


def test_a_token_opens_its_own_application_alone(house: House) -> None:
    application, other = house.application(), house.application()
    bearer = token(house.first, application)
    assert fetch(house.first, other, bearer).status_code in {403, 404}
    stream = {"scope": other.names, "instance": {"name": "i"}, "capabilities": ["config"]}
    assert ask(house.first, "POST", protocol.STREAM_PATH, stream, bearer).status_code in {403, 404}
    word = {"scope": other.names, "instance": {"name": "i"}, "held": []}
    assert ask(house.first, "POST", protocol.ACKNOWLEDGE_PATH, word, bearer).status_code in {403, 404}
    for path in ("namespaces", "releases", "instances", "status"):
        answer = ask(house.first, "GET", f"/api/v1/config/{other.scope}/{path}", bearer=bearer)
        assert answer.status_code in {403, 404}, answer.text
    assert ask(house.first, "GET", "/api/v1/identity/tenants", bearer=bearer).status_code in {200, 403}
    body = {"body": {"format": "text", "document": "mine"}}
    path = f"/api/v1/config/{application.scope}/namespaces/application"
    answer = ask(house.first, "PUT", path, body, bearer, **{"If-Match": "*"})
    assert answer.status_code == 403, "an instance writes no configuration, not even its own"


def test_without_proof_nothing_opens(house: House) -> None:
    application = house.application()
    for method, path in (
        ("POST", protocol.STREAM_PATH),
        ("POST", protocol.FETCH_PATH),
        ("GET", f"/api/v1/config/{application.scope}/namespaces"),
        ("GET", "/api/v1/identity/tenants"),
        ("POST", "/api/v1/audit/verify"),
    ):
        assert ask(house.first, method, path, {}).status_code == 401


def watchers(house: House, application: Application, folder: Path) -> list[Client]:
    """Give a connected client at each server, each with a copy on disk."""
    found = [
        application.client(server, folder=folder / str(number), keep_copy=True)
        for number, server in enumerate(house.servers)
    ]
    for client in found:
        client.wait_well()
    eventually(lambda: len(list(folder.rglob("*.copy"))) == len(found))
    return found


def require_told(application: Application, folder: Path) -> None:
    """Pass where every client stops using what it held, says why, and keeps no copy."""
    for client in application.clients:
        client.wait(-1)
        eventually(lambda client=client: client.status.source == "none" and client.status.problem)
    eventually(lambda: not list(folder.rglob("*.copy")))


def test_the_application_is_deleted_while_clients_are_connected(house: House, tmp_path: Path) -> None:
    application = house.application()
    clients = watchers(house, application, tmp_path)
    bearer = token(house.first, application)
    tenant, _environment, center, name = application.scope.split("/")
    application.api.call("DELETE", f"identity/tenants/{tenant}/centers/{center}/applications/{name}")
    require_told(application, tmp_path)
    assert all("deleted" in client.status.problem for client in clients)
    for server in house.servers:
        eventually(lambda server=server: fetch(server, application, bearer).status_code == 410)
        require_refused(exchange(server, proof(application)), 410, "identity.application_gone")


def test_the_credential_is_revoked_while_clients_are_connected(house: House, tmp_path: Path) -> None:
    application = house.application()
    clients = watchers(house, application, tmp_path)
    tenant, environment, center, name = application.scope.split("/")
    path = f"identity/tenants/{tenant}/centers/{center}/applications/{name}/environments/{environment}/credentials"
    application.api.call("DELETE", f"{path}/{application.credential}")
    require_told(application, tmp_path)
    assert all("revoked" in client.status.problem for client in clients)
    for server in house.servers:
        require_refused(exchange(server, proof(application)), 410, "identity.credential_revoked")


def test_a_start_after_the_deletion_does_not_fall_back_to_the_copy(house: House, tmp_path: Path) -> None:
    application = house.application()
    kept = {"folder": tmp_path, "keep_copy": True}
    application.client(**kept).wait_well()
    eventually(lambda: list(tmp_path.rglob("*.copy")))
    application.close()
    tenant, _environment, center, name = application.scope.split("/")
    application.api.call("DELETE", f"identity/tenants/{tenant}/centers/{center}/applications/{name}")
    with pytest.raises(Exception, match="deleted") as raised, contextlib.ExitStack():
        application.client(**kept)
    assert getattr(raised.value, "status", 0) == 410
    eventually(lambda: not list(tmp_path.rglob("*.copy")))


def test_tokens_that_end_do_not_end_the_stream_of_a_client(house: House) -> None:
    application = house.application()
    client = application.client(house.second)
    client.wait_well()
    started = time.monotonic()
    number = 1
    while time.monotonic() - started < 3 * SHORT_TOKEN_SECONDS:
        number += 1
        application.publish(number)
        client.wait(number)
        time.sleep(0.5)
    assert eventually(lambda: client.seen == list(range(2, number + 1)))
