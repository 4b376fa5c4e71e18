"""Every operation of the served document, fuzzed over things that exist: the same on each kind of database.

More examples per operation: QIANTANG_FUZZ_EXAMPLES=200.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from tests.api import services
from tests.servers.platform import Api, Platform

pytestmark = pytest.mark.process

EXAMPLES = int(os.environ.get("QIANTANG_FUZZ_EXAMPLES", "6"))
SCOPE = "acme/dev/trade/order"
CONSUMER = "acme/dev/trade/till"
NAMES = ("tenant", "environment", "center", "application")
LEFT_OUT = {
    ("post", "/api/v1/identity/logout"),
    ("delete", "/api/v1/identity/tokens/{token}"),
    ("delete", "/api/v1/identity/sessions/{session}"),
}
"""What could end the fuzzer's own proof."""


@pytest.fixture
def platforms(postgresql_url: str, mariadb_url: str) -> Iterator[dict[str, Platform]]:
    with (
        Platform() as embedded,
        Platform(f"--database-url={postgresql_url}") as postgresql,
        Platform(f"--database-url={mariadb_url}") as mariadb,
    ):
        yield {"sqlite": embedded, "postgresql": postgresql, "mariadb": mariadb}


class Seeds:
    """What exists, made anew whenever an operation may have removed it; and bodies that come near to good ones."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.found: dict[str, list[Any]] = {
            "name": ["application", "application@blue", services.NAME],
            "revision": [0, 1, 2],
            "number": [1, 2],
        }
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
        self._sow_services()
        self.found |= dict(zip(NAMES, ([tenant], [environment], [center], [application]), strict=True))
        self.found["credential"] = [one["id"] for one in self.api.call("GET", f"{place}/credentials")["items"]]
        self.found["user"] = [one["id"] for one in self.api.call("GET", f"identity/tenants/{tenant}/users")["items"]]
        self.found["grant"] = [one["id"] for one in self.api.call("GET", f"identity/tenants/{tenant}/grants")["items"]]
        self.found["role"] = ["keeper", "viewer"]

    def _sow_services(self) -> None:
        """Have a service that is for subscribers, and a request of another application that waits."""
        self.api.have("identity/tenants/acme/centers/trade/applications", {"name": "till"})
        changed = {"state": "online", "access": "subscribers", "subscribers": []}
        services.serve(self.api, SCOPE, **changed)
        waiting = f"catalog/{SCOPE}/access-requests/received"
        if not self.api.call("GET", waiting)["items"]:
            services.ask(self.api, CONSUMER, SCOPE)
        self.found["request_id"] = [one["id"] for one in self.api.call("GET", f"{waiting}?decided=true")["items"]]

    def plant(self, case: schemathesis.Case, plan: Plan) -> None:
        """Have a case be about what the plan chose among the things that exist here."""
        for name in case.path_parameters or {}:
            if plan.existing and self.found.get(name):
                case.path_parameters[name] = self.found[name][plan.choice % len(self.found[name])]
        if plan.revision and isinstance(case.body, dict) and "expected_revision" in case.body:
            case.body["expected_revision"] = self.api.revision(SCOPE)


@dataclass(frozen=True)
class Plan:
    """What a case is to be about, in words that are the same on every platform."""

    existing: bool
    choice: int
    revision: bool
    version: str
    namespace: dict[str, Any]
    service: dict[str, Any]

    def prepare(self, case: schemathesis.Case) -> None:
        """Change what is the same everywhere."""
        if self.version and case.method.upper() in {"PUT", "DELETE"}:
            case.headers["If-Match"] = self.version
        if self.existing and case.method.upper() == "PUT" and case.path.endswith("/namespaces/{name}"):
            case.body = {"body": self.namespace}
        if self.existing and case.method.upper() == "PUT" and case.path.endswith("/services/{name}"):
            case.body = {"body": {**services.body(), **self.service}}


TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", "\0", "a: [", "{", "a=b\nc", "[x]\ny = 1", "<<: *a", "&a [*a]", "1e999"]
)
VALUE = (
    TEXTS
    | st.builds(lambda text: {"$secret": {"value": text}}, TEXTS)
    | st.none()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
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
SERVICE = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["1.0.0", "2.0.0", "x y"]),
        "state": st.sampled_from(["registered", "online", "offline", "gone"]),
        "access": st.sampled_from(["open", "subscribers"]),
        "subscribers": st.lists(st.sampled_from(["trade", "trade/till", "a/b/c", "\0"]), max_size=3),
        "digest": st.sampled_from(["", "0" * 32]),
        "document": st.sampled_from([None, {}, {"name": "shop.Orders", "version": "1.0.0", "schemas": {"a": [{}]}}]),
        "description": TEXTS,
    },
)

PLANS = st.builds(
    Plan,
    existing=st.sampled_from([True, True, True, False]),
    choice=st.integers(0, 7),
    revision=st.booleans(),
    version=st.sampled_from(["", "*", "0", '"1"']),
    namespace=NAMESPACE,
    service=SERVICE,
)


class Judge:
    """Looks at answers and keeps one example of each thing that is wrong."""

    def __init__(self) -> None:
        self.wrong: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()

    def look(self, operation: Any, case: schemathesis.Case, answers: Mapping[str, schemathesis.Response]) -> None:
        self.statuses.update(answer.status_code for answer in answers.values())
        for kind, answer in answers.items():
            for fault in self._faults(operation, case, answer):
                what = f"{operation.label} on {kind}: {answer.status_code} {fault}"
                self.wrong.setdefault(what, case.as_curl_command()[:1000])
        if len({answer.status_code for answer in answers.values()}) > 1:
            said = {kind: (answer.status_code, answer.text[:300]) for kind, answer in answers.items()}
            self.wrong.setdefault(f"{operation.label} differs: {said}", case.as_curl_command()[:1000])

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


class Fuzz:
    """The platforms with what exists on them; asks each of them the same."""

    def __init__(self, platforms: Mapping[str, Platform]) -> None:
        self.platforms = platforms
        self.judge = Judge()
        self.seeds = {kind: Seeds(platform.administrator()) for kind, platform in platforms.items()}
        self.sessions = {kind: requests.Session() for kind in platforms}
        for kind, session in self.sessions.items():
            session.headers["Authorization"] = f"Bearer {platforms[kind].administrator().token}"

    def operations(self) -> Iterator[Any]:
        document = next(iter(self.platforms.values())).administrator().call("GET", "openapi/openapi.json")
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = found.ok()
            if (operation.method, operation.path) not in LEFT_OUT:
                yield operation

    def sow(self) -> None:
        for seeds in self.seeds.values():
            seeds.sow()

    def ask(self, operation: Any, case: schemathesis.Case, plan: Plan) -> None:
        plan.prepare(case)
        answers: dict[str, schemathesis.Response] = {}
        for kind, seeds in self.seeds.items():
            seeds.plant(case, plan)
            session = self.sessions[kind]
            answers[kind] = case.call(base_url=self.platforms[kind].address, session=session, timeout=30)
        self.judge.look(operation, case, answers)

    def close(self) -> None:
        for session in self.sessions.values():
            session.close()


def asking(fuzz: Fuzz, operation: Any, mode: GenerationMode) -> Callable[[], None]:
    """Give what asks for one operation, with as many examples as there are to be."""

    @given(case=operation.as_strategy(generation_mode=mode), plan=PLANS)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case, plan: Plan) -> None:
        fuzz.ask(operation, case, plan)

    return ask


@pytest.mark.postgresql
@pytest.mark.mariadb
@pytest.mark.timeout(600)
def test_no_operation_fails_or_answers_otherwise_than_it_says(platforms: dict[str, Platform]) -> None:
    fuzz = Fuzz(platforms)
    for operation in fuzz.operations():
        if operation.method != "get":
            fuzz.sow()
        asking(fuzz, operation, GenerationMode.POSITIVE)()
        if operation.body or operation.query:  # a name in a path is a text, and every text is one
            with contextlib.suppress(Unsatisfiable):
                asking(fuzz, operation, GenerationMode.NEGATIVE)()
    fuzz.close()
    report = "\n\n".join(f"{what}\n    {how}" for what, how in fuzz.judge.wrong.items())
    assert not fuzz.judge.wrong, report
    assert fuzz.judge.statuses[200] > 300, f"too little of it was answered: {fuzz.judge.statuses}"
    for platform in platforms.values():
        assert platform.running
        assert "Traceback" not in platform.log_file.read_text(), platform.log_tail(60)
