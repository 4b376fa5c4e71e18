"""Every operation of the served document, fuzzed over things that exist, on the databases that operators run.

More examples per operation: QIANTANG_FUZZ_EXAMPLES=200.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

import qiantang_server.app.process  # noqa: F401  # every error class is known
from qiantang.kernel import errors
from tests.servers.platform import Api, Platform

pytestmark = pytest.mark.process

EXAMPLES = int(os.environ.get("QIANTANG_FUZZ_EXAMPLES", "8"))
SCOPE = "acme/dev/trade/order"
NAMES = ("tenant", "environment", "center", "application")
LEFT_OUT = {
    ("post", "/api/v1/identity/logout"),
    ("delete", "/api/v1/identity/tokens/{token}"),
    ("delete", "/api/v1/identity/sessions/{session}"),
}
"""What could end the fuzzer's own proof."""


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    with Platform(f"--database-url={request.getfixturevalue(f'{request.param}_url')}") as started:
        yield started


class Seeds:
    """What exists, made anew whenever an operation may have removed it; and bodies that come near to good ones."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.found: dict[str, list[Any]] = {"name": ["application", "application@blue"], "revision": [0, 1, 2]}
        self.sow()

    def sow(self) -> None:
        """Have everything that paths can name."""
        tenant, environment, center, application = SCOPE.split("/")
        self.api.have("identity/tenants", {"name": tenant})
        self.api.call("PATCH", f"identity/tenants/{tenant}", {"disabled": False})
        self.api.have(f"identity/tenants/{tenant}/environments", {"name": environment})
        self.api.call("PATCH", f"identity/tenants/{tenant}/environments/{environment}", {"protected": False})
        self.api.have(f"identity/tenants/{tenant}/centers", {"name": center})
        self.api.have(f"identity/tenants/{tenant}/centers/{center}/applications", {"name": application})
        self.api.have(f"identity/tenants/{tenant}/roles", {"name": "keeper", "permissions": ["config.*:read"]})
        self.api.have(f"identity/tenants/{tenant}/users", {"name": "ann", "password": "correct horse battery"})
        self.api.set(SCOPE, {"greeting": f"hi {time.monotonic_ns()}", "pw": {"value": {"$secret": {"value": "s3"}}}})
        self.api.answer("POST", f"config/{SCOPE}/releases", {"expected_revision": self.api.revision(SCOPE)})
        self.api.set(SCOPE, {"greeting": f"ho {time.monotonic_ns()}"})
        place = f"identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}"
        if not any(one["active"] for one in self.api.call("GET", f"{place}/credentials")["items"]):
            self.api.call("POST", f"{place}/credentials", {})
        self.found |= dict(zip(NAMES, ([tenant], [environment], [center], [application]), strict=True))
        self.found["credential"] = [one["id"] for one in self.api.call("GET", f"{place}/credentials")["items"]]
        self.found["user"] = [one["id"] for one in self.api.call("GET", f"identity/tenants/{tenant}/users")["items"]]
        self.found["grant"] = [one["id"] for one in self.api.call("GET", f"identity/tenants/{tenant}/grants")["items"]]
        self.found["role"] = ["keeper", "viewer"]

    def plant(self, case: schemathesis.Case, data: st.DataObject) -> None:
        """Have a case be about something that exists, three times out of four."""
        if not data.draw(st.integers(0, 3)):
            return
        for name in case.path_parameters or {}:
            if self.found.get(name):
                case.path_parameters[name] = data.draw(st.sampled_from(self.found[name]))
        if case.method.upper() in {"PUT", "DELETE"} and data.draw(st.booleans()):
            case.headers["If-Match"] = data.draw(st.sampled_from(["*", "0", '"1"']))
        if case.path.endswith("/namespaces/{name}") and case.method.upper() == "PUT":
            case.body = {"body": data.draw(NAMESPACE)}
        if isinstance(case.body, dict) and "expected_revision" in case.body and data.draw(st.booleans()):
            case.body["expected_revision"] = self.api.revision(SCOPE)


TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", "\0", "a: [", "{", "a=b\nc", "[x]\ny = 1", "<<: *a", "&a [*a]", "1e999"]
)
VALUE = TEXTS | st.builds(lambda text: {"$secret": {"value": text}}, TEXTS) | st.none() | st.integers() | st.floats()
NAMESPACE = st.fixed_dictionaries(
    {"format": st.sampled_from(["properties", "yaml", "json", "toml", "text", "xml"])},
    optional={
        "items": st.dictionaries(TEXTS, st.fixed_dictionaries({"value": VALUE}), max_size=3),
        "document": VALUE,
        "public": st.booleans(),
        "inherits": st.sampled_from(["", "trade/order/application", "a/b/c", "../x", "\0"]),
        "schema": TEXTS | st.sampled_from(['{"type": "object"}', '{"$ref": "#"}', '{"pattern": "(a+)+$"}']),
        "description": TEXTS,
    },
)


class Judge:
    """Looks at answers and keeps one example of each thing that is wrong."""

    def __init__(self) -> None:
        self.wrong: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()

    def look(
        self, operation: schemathesis.APIOperation, case: schemathesis.Case, answer: schemathesis.Response
    ) -> None:
        self.statuses[answer.status_code] += 1
        for fault in self._faults(operation, case, answer):
            self.wrong.setdefault(f"{operation.label} {answer.status_code}: {fault}", case.as_curl_command()[:1000])

    def _faults(
        self, operation: schemathesis.APIOperation, case: schemathesis.Case, answer: schemathesis.Response
    ) -> Iterator[str]:
        if answer.status_code >= 500:
            yield answer.text[:300]
        if answer.status_code >= 400:
            yield from problem_faults(answer)
        try:
            operation.validate_response(answer, case=case)
        except Exception as error:
            yield f"{error}"[:600]


def problem_faults(answer: schemathesis.Response) -> Iterator[str]:
    """Say what an error's answer lacks of a problem with a stable code."""
    media = str(answer.headers.get("content-type", [""])[0])
    if not media.startswith("application/problem+json"):
        yield f"an error as {media}"
        return
    problem = answer.json()
    if problem["code"] not in errors._BY_CODE:
        yield f"the code {problem['code']} is in no error class"
    if problem["status"] != answer.status_code:
        yield f"says {problem['status']} inside"
    if not problem.get("detail"):
        yield "says nothing"


def asking(
    operation: Any,
    mode: GenerationMode,
    seeds: Seeds,
    call: Callable[[schemathesis.Case], schemathesis.Response],
    judge: Judge,
) -> Callable[[], None]:
    """Give what asks for one operation, with as many examples as there are to be."""

    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case, data: st.DataObject) -> None:
        seeds.plant(case, data)
        judge.look(operation, case, call(case))

    return ask


def test_no_operation_fails_or_answers_otherwise_than_it_says(platform: Platform) -> None:
    api = platform.administrator()
    seeds, judge = Seeds(api), Judge()
    document = api.call("GET", "openapi/openapi.json")
    schema = schemathesis.openapi.from_dict(document)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {api.token}"
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method, operation.path) in LEFT_OUT:
            continue
        if operation.method != "get":
            seeds.sow()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            ask = asking(
                operation, mode, seeds, lambda case: case.call(base_url=platform.address, session=session), judge
            )
            try:
                ask()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, "nothing fits what the document asks for"
    session.close()
    report = "\n\n".join(f"{what}\n    {how}" for what, how in judge.wrong.items())
    assert not judge.wrong, f"{report}\n\n{platform.log_tail(40)}"
    assert judge.statuses[200] > 100, f"too little of it was answered: {judge.statuses}"
    assert platform.running
    assert "Traceback" not in platform.log_file.read_text(), platform.log_tail(60)
