"""Demo: the platform with the estate of examples, as `qiantang up --demo` starts both."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.servers.platform import Api, Platform
from tests.servers.process import HOST


class Demo(Platform):
    """`qiantang up --demo`, on whatever port it found; `options` are more of its flags."""

    def __init__(self, *options: str) -> None:
        super().__init__("--demo", *options)

    @property
    def address(self) -> str:
        try:
            return str(self.started()["address"])
        except (IndexError, OSError):
            return f"http://{HOST}:1"

    @property
    def said(self) -> str:
        """All that it and its services wrote."""
        return self.log_file.read_text(errors="replace")

    @property
    def complete(self) -> bool:
        """Whether all that happens before somebody looks has happened."""
        known = self.data / "demo" / "known.json"
        return known.exists() and '"complete":true' in known.read_text()

    def services(self) -> dict[int, str]:
        """Give the processes of the services, with their command lines."""
        found: dict[int, str] = {}
        for file in Path(f"/proc/{self.pid}/task").glob("*/children"):
            for pid in map(int, file.read_text().split()):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        return {pid: line for pid, line in found.items() if "demo.host" in line}

    def sign_in(self, name: str) -> Api:
        """Give the API as one of the demo's people, by the password in the data folder."""
        lines = (self.data / "demo" / "passwords.txt").read_text().splitlines()
        (password,) = (line.split()[1] for line in lines if line.startswith(f"{name} "))
        said = {"name": name, "password": password, "tenant": "demo"}
        with httpx.Client(base_url=self.address, headers={"X-Qiantang": "1", "Origin": self.address}) as client:
            client.post("/api/v1/identity/login", json=said).raise_for_status()
            made = client.post("/api/v1/identity/tokens", json={"name": "tests", "lifetime_days": 1})
            return self.as_bearer(str(made.raise_for_status().json()["token"]))
