"""Platform: the product itself as a child process, started as its operator would, with all settings by flags."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx

from tests.servers import ports
from tests.servers.process import HOST, Process

USER = "ada"
PASSWORD = "correct horse battery staple"  # of a throw-away platform


class Platform(Process):
    """One server of the control plane; `options` are more flags of `qiantang up`, such as `--database-url=…`.

    `share` names another platform whose data folder (keyring, and the database where it is embedded) it uses; the
    first administrator is the same then. `variables` are more of its environment, `program` what runs in place of `qiantang`.
    """

    name: ClassVar[str] = "qiantang"

    def __init__(
        self,
        *options: str,
        share: Platform | None = None,
        variables: dict[str, str] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.port = ports.take()
        self.data = share.data if share is not None else self.folder / "data"
        self.options = options
        self.variables = variables or {}
        self.program = list(program) or [str(_program())]
        self._share = share
        self._token = ""
        self._apis: list[Api] = []

    @staticmethod
    def missing() -> list[str]:
        return [] if _program().exists() else [str(_program())]

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True, mode=0o700)

    def argv(self) -> list[str]:
        flags = [f"--port={self.port}", f"--folder={self.data}", "--json", *self.options]
        return [*self.program, "up", *flags]

    def probe(self) -> None:
        httpx.get(f"{self.address}/readyz", timeout=5).raise_for_status()

    def started(self) -> dict[str, Any]:
        """What it said of itself when it started last."""
        lines = [line for line in self.log_file.read_text().splitlines() if line.startswith("{")]
        return json.loads(lines[-1])

    def administrator(self) -> Api:
        """Give the API as the first administrator, who is made at the first call."""
        if self._share is not None:
            self._token = self._share.administrator().token
        if not self._token:
            with httpx.Client(base_url=self.address, timeout=30) as client:
                first = {"token": self.started()["first_start_token"], "name": USER, "password": PASSWORD}
                done = client.post("/api/v1/identity/first-start", json=first)
                done.raise_for_status()
                made = client.post(
                    "/api/v1/identity/tokens",
                    json={"name": "tests", "lifetime_days": 1},
                    headers={"X-Qiantang": "1", "Origin": self.address},
                )
                made.raise_for_status()
                self._token = made.json()["token"]
        return self.as_bearer(self._token)

    def as_bearer(self, token: str) -> Api:
        """Give the API as whoever a token speaks for; it is closed with the platform."""
        self._apis.append(Api(self.address, token))
        return self._apis[-1]

    def close(self) -> None:
        """Stop it, and remove its data."""
        for api in self._apis:
            api.client.close()
        super().close()


class Api:
    """The HTTP API as one principal; what is not answered with 2xx raises unless asked for with `answer`."""

    def __init__(self, address: str, token: str) -> None:
        self.token = token
        self.client = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def answer(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Give the answer, whatever it is."""
        return self.client.request(method, f"/api/v1/{path}", json=body, headers=headers)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Give the body of a good answer."""
        answer = self.answer(method, path, body, **headers)
        if answer.is_error:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def make_application(self, scope: str) -> dict[str, Any]:
        """Have a tenant/environment/center/application, and give a new credential of it."""
        tenant, environment, center, application = scope.split("/")
        self.have("identity/tenants", {"name": tenant})
        self.have(f"identity/tenants/{tenant}/environments", {"name": environment})
        self.have(f"identity/tenants/{tenant}/centers", {"name": center})
        self.have(f"identity/tenants/{tenant}/centers/{center}/applications", {"name": application})
        path = f"identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}"
        return self.call("POST", f"{path}/credentials", {"title": "tests"})

    def have(self, path: str, body: Any) -> None:
        """Make something unless it is there."""
        answer = self.answer("POST", path, body)
        if answer.is_error and answer.status_code != 409:
            raise AssertionError(f"POST {path}: {answer.status_code} {answer.text}")

    def set(self, scope: str, values: dict[str, Any], namespace: str = "application") -> None:
        """Draft a namespace in properties format with exactly these values."""
        items = {key: value if isinstance(value, dict) else {"value": str(value)} for key, value in values.items()}
        body = {"body": {"format": "properties", "items": items}}
        self.call("PUT", f"config/{scope}/namespaces/{namespace}", body, **{"If-Match": "*"})

    def revision(self, scope: str) -> int:
        """Give the revision that an application's configuration is at."""
        return int(self.call("GET", f"config/{scope}/status")["position"][1])

    def publish(self, scope: str, **more: Any) -> dict[str, Any]:
        """Publish all drafts of an application over the revision that is there."""
        return self.call("POST", f"config/{scope}/releases", {"expected_revision": self.revision(scope), **more})


def _program() -> Path:
    return Path(sys.executable).parent / "qiantang"
