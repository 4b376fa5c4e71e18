"""The frame: help without imports, commands of processes, one place for failures, output."""

from __future__ import annotations

import importlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from qiantang.cli import failures, frame, output, talk
from qiantang.cli.config import config
from qiantang.cli.program import COMMANDS, program
from qiantang.kernel import errors

HEAVY = ("asyncio", "cryptography", "yaml", "msgspec", "h11", "ssl", "tomllib")


def test_help_imports_nothing_heavy() -> None:
    script = f"""
import sys
from click.testing import CliRunner
before = set(sys.modules)
from qiantang.cli.program import program
import io, contextlib
out = io.StringIO()
with contextlib.redirect_stdout(out):
    try:
        program(["--help"], prog_name="qiantang")
    except SystemExit:
        pass
assert "config" in out.getvalue()
print([name for name in {HEAVY!r} if name in sys.modules and name not in before])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_click_the_install_line_is_said() -> None:
    script = "import sys; sys.modules['click'] = None; import qiantang.cli; qiantang.cli.main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "the command line is not installed: pip install 'qiantang[cli]'\n"


def walk(group: click.Group, context: click.Context) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((f"{context.command_path} {name}", command))
        if isinstance(command, click.Group):
            found += walk(command, click.Context(command, context, name))
    return found


def test_every_command_loads_has_help_and_help_on_every_option() -> None:
    for path, command in walk(program, click.Context(program, info_name="qiantang")):
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)


@pytest.mark.parametrize("table", [COMMANDS, config._lazy])  # type: ignore[reportPrivateUsage]
def test_each_line_of_help_is_the_commands_own(table: dict[str, frame.Lazy]) -> None:
    for name, lazy in table.items():
        command = frame.load(lazy.target)
        first = (command.help or "").partition("\n")[0]
        assert lazy.help == first.removesuffix("."), name


class Site:
    def __init__(self, folder: Path) -> None:
        info = folder / "probe_cli-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: probe-cli\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[qiantang.commands]\nstir = probe_cli.deep.place:stir\nbroken = probe_cli.deep.place:missing\n"
            "odd = probe_cli.deep.place:NUMBER\n[qiantang.settings]\nprobe = probe_cli.deep.place:sections\n"
        )
        (folder / "probe_cli" / "deep").mkdir(parents=True)
        (folder / "probe_cli" / "__init__.py").write_text("")
        (folder / "probe_cli" / "deep" / "place.py").write_text(
            "import click, msgspec\nfrom typing import Annotated\nNUMBER = 1\n"
            "@click.command()\ndef stir():\n    '''Stir the pot.\n\n    More.\n    '''\n    click.echo('stirred')\n"
            "class Pot(msgspec.Struct):\n"
            "    size: Annotated[int, msgspec.Meta(description='litres in it', ge=1)] = 3\n"
            "def sections():\n    return {'pot': Pot}\n"
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Site(tmp_path)
    for name in [name for name in sys.modules if name.startswith("probe_cli")]:
        del sys.modules[name]


def test_commands_of_processes_are_listed_unimported_and_run(site, run) -> None:
    text = run("--help").stdout
    assert re.search(r"  stir +Stir the pot\n", text)
    assert "probe_cli.deep.place" not in sys.modules
    assert run("stir").stdout == "stirred\n"
    assert "offered by probe-cli 1.0, cannot be loaded" in run("broken", code=2).stderr
    assert "not a command" in run("odd", code=2).stderr


def test_settings_of_processes_are_shown_with_their_sources(site, run, tmp_path: Path) -> None:
    run.environment["QIANTANG_POT_SIZE"] = "5"
    (row,) = run.json("settings", "probe")
    assert row == {
        "name": "pot.size",
        "value": "5",
        "default": "3",
        "source": "environment QIANTANG_POT_SIZE",
        "meaning": "litres in it",
    }
    file = tmp_path / "it.toml"
    file.write_text("[pot]\nsice = 1\n")
    assert "did you mean pot.size?" in run("settings", "probe", "--config", str(file), code=2).stderr
    assert "#size = 3" in run("settings", "probe", "--defaults").stdout
    assert "known: probe" in run("settings", "nothing", code=2).stderr
    del run.environment["QIANTANG_POT_SIZE"]
    assert run("settings", "probe", "--changed").stdout == ""


def test_a_wrong_command_is_corrected(run) -> None:
    result = run("cofnig", code=2)
    assert "Did you mean 'config'?" in result.stderr
    assert "Did you mean 'publish'?" in run("config", "pubish", code=2).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_and_completes(shell: str, run) -> None:
    assert "_QIANTANG_COMPLETE" in run("completion", shell).stdout


def test_completion_names_commands_without_importing_them() -> None:
    environment = {"_QIANTANG_COMPLETE": "bash_complete", "COMP_WORDS": "qiantang config re", "COMP_CWORD": "2"}
    result = CliRunner().invoke(program, [], env=environment, prog_name="qiantang")
    assert set(result.stdout.split()) == {"plain,request", "plain,reveal"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InternalError("x"), 1),
        (errors.InvalidRequestError("x"), 1),
        (errors.UnsupportedError("x"), 1),
        (errors.MisconfiguredError("x"), 2),
        (errors.NotFoundError("x"), 3),
        (errors.GoneError("x"), 3),
        (errors.UnauthenticatedError("x"), 4),
        (errors.ForbiddenError("x"), 4),
        (errors.ConflictError("x"), 5),
        (errors.StaleRevisionError("x"), 5),
        (errors.RejectedError("x"), 5),
        (errors.UnavailableError("x"), 6),
        (errors.DeadlineError("x"), 6),
        (errors.ExhaustedError("x", retry_after=3), 6),
    ],
)
def test_exit_codes_are_stable(error: errors.QiantangError, code: int) -> None:
    assert failures.exit_code(error) == code


def test_an_error_says_what_where_and_what_to_do(signed_in, center) -> None:
    center.refuse = errors.InvalidRequestError(
        "the draft is wrong\x1b[2J", problems=[errors.Problem("must be a number", "items.port", 3, 7)]
    )
    result = signed_in("config", "list", code=1)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: the draft is wrong\\x1b[2J",
        "  items.port (line 3, column 7): must be a number",
    ]
    center.refuse = errors.InternalError("a statement failed")
    assert "-> the server's log has it under request req-1" in signed_in("config", "list", code=1).stderr
    center.refuse = errors.ExhaustedError("too many", retry_after=3)
    assert "-> try again in 3 s" in signed_in("config", "list", code=6).stderr


def test_a_fault_of_ours_is_told_without_a_trace_unless_asked(signed_in, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("qiantang.cli.config.namespaces")
    monkeypatch.setattr(module, "open_room", lambda *_: 1 / 0)
    result = signed_in("config", "list", code=1)
    assert "unexpected ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.stderr
    signed_in.environment["QIANTANG_CLI_TRACE"] = "1"
    assert "Traceback" in signed_in("config", "list", code=1).stderr


def test_a_missing_package_of_the_extra_gives_the_install_line(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    for name in ("qiantang.cli.output", "qiantang.cli.commands.context"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        parent, _, child = name.rpartition(".")
        monkeypatch.delattr(sys.modules[parent], child, raising=False)
    assert "needs yaml, which is not installed: pip install 'qiantang[cli]'" in run("context", "list", code=2).stderr


def test_nothing_is_asked_where_nobody_is() -> None:
    with pytest.raises(click.UsageError, match="give --yes"):
        talk.confirm("sure?", allowed=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_to_people_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr("sys.stderr", stream)
        with talk.progress(2, "working") as bar:
            bar.update(2)
        assert ("working" in stream.getvalue()) is shown


def test_wide_signs_count_twice() -> None:
    assert output.text_width("ab") == 2
    assert output.text_width("钱塘") == 4
    assert output.text_width("e\u0301") == 1
    lines = output.lay_out(["名称", "B"], [["订单", "x"], ["a", "y"]], None)
    assert lines == ["名称  B", "订单  x", "a     y"]


@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(st.text(max_size=60), min_size=n, max_size=n), min_size=1)),
    st.integers(60, 120),
)
def test_tables_fit_the_terminal_and_lose_nothing_without_one(rows: list[list[str]], width: int) -> None:
    shown = [[output._cell(cell) for cell in row] for row in rows]  # type: ignore[reportPrivateUsage]
    titles = ["T"] * len(rows[0])
    assert all(output.text_width(line) <= width for line in output.lay_out(titles, shown, width))
    for line, row in zip(output.lay_out(titles, shown, None)[1:], shown, strict=True):
        assert all(cell in line for cell in (cell.rstrip() for cell in row))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_yaml_reads_back(text: str) -> None:
    assert yaml.safe_load(output.to_yaml({"a": text})) == {"a": text}


def test_data_goes_to_stdout_in_every_form_and_empty_is_said_on_stderr(signed_in, center) -> None:
    result = signed_in("config", "list")
    assert result.stdout == ""
    assert result.stderr == "no namespaces\n"
    assert signed_in("config", "list", "-o", "json").stdout == "[]\n"
    center.put("application", {"a": "1"})
    assert signed_in("-o", "name", "config", "list").stdout == "application\n"
    assert signed_in("-o", "name", "config", "list", "-o", "json").stdout.startswith("[")
    assert yaml.safe_load(signed_in("config", "list", "-o", "yaml").stdout)[0]["name"] == "application"
    assert json.loads(signed_in("config", "list", "-o", "json").stdout)[0]["kind"] == "namespace"
    assert signed_in("config", "list").stdout.splitlines()[1].startswith("application  published")


def test_colours_are_for_terminals_and_not_where_they_are_refused(signed_in, center, monkeypatch) -> None:
    assert "\x1b" not in signed_in("config", "get", "none", code=3).output
    runner = CliRunner()
    shown = runner.invoke(program, ["config", "get", "none"], color=True, env={"NO_COLOR": ""})
    assert "\x1b[31m" in shown.stderr
    plain = runner.invoke(program, ["config", "get", "none"], color=True, env={"NO_COLOR": "1"})
    assert "\x1b" not in plain.stderr
