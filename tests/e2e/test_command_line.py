"""The command line against the real thing: what the README says, an application of one's own, and every command once."""

from __future__ import annotations

import json
import re
import shlex
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import qiantang
from qiantang.cli.program import program
from tests.e2e.readme import ROOT, block, blocks, commands
from tests.e2e.terminal import Terminal
from tests.servers.platform import PASSWORD, USER, Platform
from tests.servers.process import environment
from tests.servers.product import eventually

README = "README.md"
DOCUMENTS = [README, *(f"docs/capabilities/{name}.md" for name in ("catalog", "configuration", "identity"))]
ANSWERS = {"new password:": PASSWORD, "the same again:": PASSWORD, "[y/N]:": "y"}
SHELL = Path(sys.executable).parent
PLACE = "flow/dev/trade/order"


class Shown(Platform):
    """The platform as `make up` starts it, with what it shows to a person."""

    def argv(self) -> list[str]:
        return [one for one in super().argv() if one != "--json"]

    def shown(self) -> str:
        """What it wrote so far."""
        return self.log_file.read_text(errors="replace")

    @property
    def complete(self) -> bool:
        """Whether the demo has made its history."""
        known = self.data / "demo" / "known.json"
        return known.exists() and '"complete":true' in known.read_text()

    def wait_shown(self, what: str) -> None:
        """Wait until it wrote something."""
        eventually(lambda: what in self.shown(), f"{what!r} in:\n{self.shown()}")

    def first_token(self) -> str:
        """The one-time token that it showed."""
        found = re.search(r"--first (\S+)", self.shown())
        assert found is not None, self.shown()
        return found[1]


class CommandLine:
    """Runs `qiantang` as a script does: nobody to be asked, data on stdout."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        self.variables = environment(home)

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(SHELL / "qiantang"), *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=self.variables, timeout=90,
            cwd=self.home,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json"))


@pytest.fixture(scope="module")
def platform() -> Iterator[Shown]:
    """A demo of the platform for the module."""
    with Shown("--demo") as started:
        started.wait_shown("stop      Ctrl-C")
        eventually(lambda: started.complete, "the demo is set up")
        yield started


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person with a home of his own."""
    return environment(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def walked(platform: Shown, person: dict[str, str]) -> dict[str, str]:
    """What each command of the README's walk-through showed, when a person typed it in this order."""
    script = block(README, "none by express").replace("http://127.0.0.1:8900", platform.address)
    script = script.replace("--user sam", f"--user {USER}")
    assert "<one-time token>" in script
    script = script.replace("<one-time token>", platform.first_token())
    with Terminal(script, folder=ROOT, variables=person, answers=ANSWERS) as terminal:
        shown = terminal.finish()
    return {re.sub(r"\s+#.*", "", line): text for line, text in shown.items()}


@pytest.fixture
def line(platform: Shown, walked: dict[str, str], tmp_path: Path) -> CommandLine:
    """A command line that is signed in, in a home of its own."""
    made = CommandLine(tmp_path)
    made("login", platform.address, "--user", USER, "--password-stdin", stdin=f"{PASSWORD}\n")
    return made


@pytest.mark.process
def test_the_platform_shows_what_the_readme_says(platform: Shown) -> None:
    expected = block(README, "makes you the administrator").splitlines()
    platform.wait_shown(expected[-1])
    shown = platform.shown()
    for text in expected[1:-1]:
        label = text[:12] if text[:12].strip() else text.partition(" ~/")[0]  # what follows is of this run
        assert f"\n{label}" in shown, shown
    assert re.search(r"^qiantang \S+ is up in [\d.]+ s at http://127.0.0.1:\d+$", shown, re.MULTILINE)
    assert expected[-1] in shown


@pytest.mark.process
def test_the_walk_through_of_the_readme(platform: Shown, walked: dict[str, str]) -> None:
    def after(command: str) -> str:
        (found,) = (text for one, text in walked.items() if one.startswith(f"qiantang {command}"))
        return found

    assert f"as {USER}" in after("login")
    assert PASSWORD not in "".join(walked.values())
    assert re.search(r"^application +published", after("config list"), re.MULTILINE)
    assert "30 → 120" in after("config diff")
    assert "published revision 3" in after("config publish")
    assert re.search(r"^order-dev-1 +hz-a +yes", after("config instances"), re.MULTILINE)
    assert re.search(rf"^3 +publish +{USER} .*more orders, and none by express$", after("config history"), re.MULTILINE)
    assert "published revision 4 with the content of 2" in after("config rollback")
    platform.wait_shown("order-dev-1 | revision 3: features.express True -> False, orders.per_minute 30 -> 120")
    platform.wait_shown("order-dev-1 | revision 4: features.express False -> True, orders.per_minute 120 -> 30")


@pytest.mark.process
def test_an_application_of_ones_own_without_anything_but_the_readme(
    platform: Shown, walked: dict[str, str], person: dict[str, str], tmp_path: Path
) -> None:
    (program_text,) = (one.text for one in blocks(README) if one.language == "python")
    (tmp_path / "order.py").write_text(program_text)
    activate = f". {ROOT}/.venv/bin/activate\n"
    making = activate + block(README, "python order.py")
    changing = activate + block(README, "our first settings")
    with Terminal(making, folder=tmp_path, variables=person, answers=ANSWERS) as terminal:
        terminal.wait_for("Enter ends it")
        with Terminal(changing, folder=tmp_path, variables=person, answers=ANSWERS) as other:
            assert "1 instance took it" in other.finish()[changing.splitlines()[-1]]
        terminal.wait_for("now good day")
        again = activate + "qiantang config set application greeting=welcome\nqiantang config publish -m second\n"
        with Terminal(again, folder=tmp_path, variables=person, answers=ANSWERS) as other:
            other.finish()
        terminal.wait_for("now welcome")
        with Terminal(
            activate + "qiantang config rollback 1\n", folder=tmp_path, variables=person, answers=ANSWERS
        ) as other:
            other.finish()
        eventually(lambda: terminal.text.count("now good day") == 2, "the old greeting again")
        terminal.press("\n")
        terminal.finish()
        assert "QIANTANG_CLIENT_SECRET" not in terminal.text


@contextmanager
def instances(line: CommandLine) -> Iterator[tuple[qiantang.sync.App, qiantang.sync.App]]:
    """Two running instances of an application that the command line makes, from the file that it writes."""
    for noun, name in (("tenant", "flow"), ("environment", "flow/dev"), ("center", "flow/trade")):
        line(noun, "create", name)
    assert line("application", "create", "flow/trade/order", "-o", "name") == "flow/trade/order\n"
    file = line.home / "order.env"
    line("credential", "create", PLACE, "--format", "dotenv", "--file", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = dict(one.split("=", 1) for one in file.read_text().splitlines())
    options = {name.removeprefix("QIANTANG_CLIENT_").lower(): value for name, value in told.items()}
    with (
        qiantang.sync.App(**options, instance="order-1", labels={"zone": "a"}, keep_copy=False) as first,  # type: ignore[arg-type]
        qiantang.sync.App(**options, instance="order-2", labels={"zone": "b"}, keep_copy=False) as second,  # type: ignore[arg-type]
    ):
        yield first, second


@pytest.mark.process
def test_every_command_of_a_change_from_login_to_logout(line: CommandLine) -> None:
    findings = {one["check"]: one["state"] for one in line.json("doctor")}
    assert findings["token"] == "ok"
    with instances(line) as (app, other):
        seen: list[str] = []
        app.config.on_change("*", lambda event: seen.extend(event.changes))
        line("context", "set", "-t", "flow", "-e", "dev", "-c", "trade", "-a", "order")
        _publish_and_roll_back(line, app)
        _release_to_some_first(line, app, other)
        _move_files(line)
        assert "greeting" in seen
        _look_after_people(line)
        assert "order-1" in line("config", "instances", "-o", "name")
    assert all(one["intact"] for one in line.json("audit", "verify", "--all"))
    assert line.json("audit", "list", "--action", "config")[0]["tenant"] == "flow"
    line("logout")
    line("config", "list", code=4)


def _publish_and_roll_back(line: CommandLine, app: qiantang.sync.App) -> None:
    line("config", "set", "application", "greeting=hello", "port=80")
    line("config", "set", "application", "password=hunter2", "--secret")
    (change,) = line.json("config", "diff")
    assert (change["action"], change["name"]) == ("add", "application")
    assert "hunter2" not in json.dumps(change)
    done = line.run("config", "publish", "-m", "first", "--wait", "60", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert "2 instances took it" in done.stderr
    assert json.loads(done.stdout)["revision"] == 1
    assert app.config.get("greeting") == "hello"
    assert app.config.get("password") == "hunter2"
    line("config", "set", "application", "greeting=bye")
    line("config", "publish", "-m", "second", "--wait", "60")
    assert app.config.get("greeting") == "bye"
    live, _ = line.json("config", "instances")
    assert (live["instance"]["name"], live["alive"], live["current"], live["position"][1]) == ("order-1", True, True, 2)
    line("config", "rollback", "1", "-m", "back", "--wait", "60")
    assert app.config.get("greeting") == "hello"
    history = [(one["revision"], one["action"], one["message"]) for one in line.json("config", "history")]
    assert history == [(3, "rollback", "back"), (2, "publish", "second"), (1, "publish", "first")]


def _release_to_some_first(line: CommandLine, app: qiantang.sync.App, other: qiantang.sync.App) -> None:
    line("config", "set", "application", "greeting=gray")
    done = line.run("config", "gray", "start", "--labels", "zone=a", "--wait", "60", "-m", "some")
    assert "2 instances took it, 1 with the gray changes" in done.stderr
    assert (app.config.get("greeting"), other.config.get("greeting")) == ("gray", "hello")
    assert line.json("config", "gray", "show")["instances"] == ["order-1"]
    values = {one["key"]: one["value"] for one in line.json("config", "explain", "application", "--labels", "zone=a")}
    assert values["greeting"] == "gray"
    assert {one["key"]: one["value"] for one in line.json("config", "explain")}["greeting"] == "hello"
    assert "everyone has the changes" in line.run("config", "gray", "promote").stderr
    assert line("config", "get", "application", "greeting") == "gray\n"
    hits = line.json("config", "search", "gray")
    assert [(one["namespace"], one["key"]) for one in hits] == [("application", "greeting")]


def _move_files(line: CommandLine) -> None:
    archive = line.home / "order.zip"
    line("config", "export", "--file", str(archive))
    assert any("application" in name for name in zipfile.ZipFile(archive).namelist())
    assert line.json("config", "import", str(archive))[0]["action"] == "keep"
    line("config", "set", "application", "greeting=edited")
    line("config", "import", str(archive), code=5)
    (taken,) = line.json("config", "import", str(archive), "--policy", "overwrite")
    assert (taken["namespace"], taken["action"]) == ("application", "change")
    assert line.json("config", "diff") == []  # the secret that was left out is kept
    document = {
        "kind": "config.namespace",
        "name": "limits",
        "body": {"format": "yaml", "document": "rate: 5\n"},
    }
    file = line.home / "limits.yaml"
    file.write_text(yaml.safe_dump(document))
    line("apply", "-f", str(file), "--publish", "-m", "limits", "--wait", "60")
    assert line("config", "get", "limits", "rate").strip() == "5"


def _look_after_people(line: CommandLine) -> None:
    line("user", "create", "ann", "--password-stdin", stdin="some nice long words\n")
    question = ("user", "explain", "ann", "config.namespace:publish", "flow/dev")
    assert line.json(*question)["allowed"] is False
    held = line("grant", "add", "ann", "publisher", "flow/dev", "-o", "name").strip()
    assert line.json(*question)["allowed"] is True
    line("grant", "remove", held, code=2)
    line("grant", "remove", held, "--yes")
    assert line.json(*question)["allowed"] is False
    line("role", "create", "lead", "config.namespace:publish")
    assert "lead" in line("role", "list", "-o", "name").split()
    line("user", "disable", "ann")
    other = CommandLine(line.home / "ann")
    address = line.json("context", "show")["servers"][0]
    sign_in = ("login", address, "--user", "ann", "--tenant", "flow", "--password-stdin")
    other(*sign_in, code=4, stdin="some nice long words\n")
    line("user", "enable", "ann")
    other(*sign_in, stdin="some nice long words\n")
    other("password", "--password-stdin", stdin="some nice long words\nother nice long words\n")
    made = json.loads(other("token", "create", "ci", "--password-stdin", "-o", "json", stdin="other nice long words\n"))
    assert made["info"]["id"] in other("token", "list", "-o", "name").split()
    other("token", "revoke", made["info"]["id"], "--yes")
    line("user", "delete", "ann", "--yes")
    other("token", "list", code=4)
    first = line("credential", "list", "-o", "name").strip()
    fresh = line.json("credential", "rotate", first, "--overlap", "1h")
    assert fresh["secret"]
    line("credential", "revoke", fresh["id"], "--yes")
    assert [one["active"] for one in line.json("credential", "list")] == [False, True]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_a_document_shows_exists(document: str) -> None:
    """Names and options of what is written; the walk-through runs its own."""
    found = commands(document)
    assert found
    for text in found:
        _check(shlex.split(text.replace("…", " ").replace("<", "").replace(">", ""), comments=True)[1:])


def _check(words: list[str]) -> None:
    command: click.Command = program
    context = click.Context(program, info_name="qiantang")
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        following = command.get_command(context, rest.pop(0))
        assert following is not None, words
        command, context = following, click.Context(following, context)
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    unknown = [one for one in rest if one.startswith("-") and one.partition("=")[0] not in known]
    assert not unknown, (words, unknown)
