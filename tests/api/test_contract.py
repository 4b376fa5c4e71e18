"""The API against its own OpenAPI document: fuzzed from outside, no 5xx, nothing undocumented."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.platform import Platform

SCOPE = "acme/dev/trade/order"
SECONDS = 300
LEFT_OUT = "logout|/watch/stream|/v1/stream|identity/tokens/|identity/sessions|identity/me/password"
"""What would end the fuzzer's own session, or never ends; they are tested by name elsewhere."""


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as started:
        api = started.administrator()
        api.make_application(SCOPE)
        api.set(SCOPE, {"greeting": "hi", "password": {"value": {"$secret": {"value": "s3cret"}}}})
        api.publish(SCOPE)
        yield started


@pytest.mark.process
@pytest.mark.timeout(SECONDS + 60)
def test_fuzzing_finds_no_failure_of_the_server_and_nothing_undocumented(platform: Platform) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{platform.address}/api/v1/openapi/openapi.json",
        f"--header=Authorization: Bearer {platform.administrator().token}",
        "--checks=not_a_server_error,status_code_conformance,response_schema_conformance",
        "--phases=examples,fuzzing",
        "--max-examples=25",
        "--workers=2",
        f"--exclude-path-regex={LEFT_OUT}",
        "--generation-database=none",
        "--no-color",
    ]
    environment = {**os.environ, "COLUMNS": "160"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS, cwd=platform.folder, env=environment
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:] + platform.log_tail(30)


@pytest.mark.process
def test_the_document_names_every_route_with_its_errors(platform: Platform) -> None:
    document: dict[str, Any] = platform.administrator().call("GET", "openapi/openapi.json")
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    assert len(operations) > 80
    for path, method, operation in operations:
        assert {"401", "404", "422", "503"} <= set(operation["responses"]), f"{method} {path}"
        assert operation.get("description") or operation.get("summary"), f"{method} {path} says what it does"
