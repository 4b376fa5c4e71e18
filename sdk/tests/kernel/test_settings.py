"""Settings: sources over each other, everything wrong named at once, secrets never shown."""

from __future__ import annotations

import contextlib
import copy
import enum
import pickle
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors, settings
from qiantang.kernel.settings import Secret


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def meaning(text: str, **more: Any) -> msgspec.Meta:
    return msgspec.Meta(description=text, **more)


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    url: Annotated[str, meaning("where the rows are")] = ""
    pool_size: Annotated[int, meaning("open connections", ge=1, le=100)] = 10
    timeout: Annotated[
        timedelta, meaning("longest wait", extra={"ge": timedelta(seconds=1), "le": timedelta(minutes=1)})
    ] = timedelta(seconds=10)
    password: Annotated[Secret, meaning("password of the database")] = Secret()


class Server(msgspec.Struct, frozen=True, kw_only=True):
    hosts: Annotated[list[str], meaning("addresses to listen on", max_length=3)] = msgspec.field(
        default_factory=lambda: ["127.0.0.1"]
    )
    folder: Annotated[Path | None, meaning("where files are kept")] = None
    level: Annotated[Literal["debug", "info"], meaning("how much is logged")] = "info"
    colour: Annotated[Colour, meaning("of the bikeshed")] = Colour.RED
    ratio: Annotated[float, meaning("a share", ge=0, le=1)] = 0.5
    verbose: Annotated[bool, meaning("talk")] = False
    labels: Annotated[dict[str, int], meaning("numbers by name")] = {}

    def __post_init__(self) -> None:
        if self.verbose and self.level == "debug":
            raise ValueError("verbose and debug at once are too much")


class Needy(msgspec.Struct, frozen=True, kw_only=True):
    token: Annotated[Secret, meaning("who we are")]


SECTIONS: dict[str, type[msgspec.Struct]] = {"storage": Storage, "server": Server}


def load(
    toml: str = "", folder: Path | None = None, flags: Mapping[str, Any] | None = None, **environment: str
) -> settings.Loaded:
    file = None
    if folder is not None:
        file = folder / "qiantang.toml"
        file.write_text(toml)
    variables = {f"QIANTANG_{key}": value for key, value in environment.items()}
    return settings.load(SECTIONS, file=file, environment=variables, flags=flags or {})


def wrong(**arguments: Any) -> str:
    with pytest.raises(errors.MisconfiguredError) as caught:
        load(**arguments)
    return str(caught.value)


def test_defaults_stand_where_nothing_is_said() -> None:
    loaded = load()
    assert loaded.section("storage", Storage) == Storage()
    assert loaded.section("server", Server) == Server()


def test_every_type_is_read_from_the_environment(tmp_path: Path) -> None:
    server = load(
        SERVER_HOSTS="127.0.0.1, ::1,",
        SERVER_FOLDER=str(tmp_path),
        SERVER_LEVEL="debug",
        SERVER_COLOUR="blue",
        SERVER_RATIO="0.25",
        SERVER_VERBOSE="no",
        SERVER_LABELS="a=1, b=2",
    ).section("server", Server)
    assert server == Server(
        hosts=["127.0.0.1", "::1"],
        folder=tmp_path,
        level="debug",
        colour=Colour.BLUE,
        ratio=0.25,
        verbose=False,
        labels={"a": 1, "b": 2},
    )


def test_every_type_is_read_from_the_file(tmp_path: Path) -> None:
    loaded = load(
        '[server]\nhosts = ["a", "b"]\ncolour = "blue"\nratio = 1\nverbose = true\nlabels = {a = 1}\n'
        '[storage]\ntimeout = "1m"\npool_size = 3\n',
        tmp_path,
    )
    assert loaded.section("server", Server) == Server(
        hosts=["a", "b"], colour=Colour.BLUE, ratio=1.0, verbose=True, labels={"a": 1}
    )
    assert loaded.section("storage", Storage).timeout == timedelta(minutes=1)


NAMES = ("default", "file", "environment", "flag")


@given(st.sets(st.sampled_from(NAMES[1:])), st.lists(st.integers(1, 100), min_size=4, max_size=4, unique=True))
def test_the_strongest_source_that_speaks_wins(said: set[str], numbers: list[int]) -> None:
    value = dict(zip(NAMES, [10, *numbers[1:]], strict=True))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        file.write_text(f"[storage]\npool_size = {value['file']}\n")
        variable = {"QIANTANG_STORAGE_POOL_SIZE": str(value["environment"])}
        loaded = settings.load(
            SECTIONS,
            file=file if "file" in said else None,
            environment=variable if "environment" in said else {},
            flags={"storage.pool_size": value["flag"] if "flag" in said else None},
        )
    strongest = max({"default", *said}, key=NAMES.index)
    assert loaded.section("storage", Storage).pool_size == value[strongest]
    (row,) = [row for row in settings.describe(loaded) if row.name == "storage.pool_size"]
    assert row.source.partition(" ")[0] == strongest


def test_unknown_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    text = wrong(
        toml='[storage]\nulr = "x"\n[stroage]\nurl = "y"\n',
        folder=tmp_path,
        flags={"server.host": "z"},
        STORAGE_POOL_SIZ="3",
        NOWHERE="1",
        CLI_TOKEN="not ours",
    )
    assert "storage.ulr (line 2, column 1): not a setting" in text
    assert "did you mean storage.url?" in text
    assert "stroage (line 3, column 1): not a section" in text
    assert "did you mean storage?" in text
    assert "did you mean server.hosts?" in text
    assert "QIANTANG_STORAGE_POOL_SIZ: not a setting; did you mean QIANTANG_STORAGE_POOL_SIZE?" in text
    assert "QIANTANG_NOWHERE: not a setting" in text
    assert "5 settings are wrong" in text


def test_sections_of_others_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text('[gateway]\nport = 1\n[storage]\nurl = "x"\n')
    loaded = settings.load(SECTIONS, file=file, environment={"QIANTANG_GATEWAY_PORT": "1"}, ignore_sections=["gateway"])
    assert loaded.section("storage", Storage).url == "x"


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("STORAGE_POOL_SIZE", "0", "a whole number, at least 1, at most 100"),
        ("STORAGE_POOL_SIZE", "ten", "a whole number"),
        ("STORAGE_POOL_SIZE", "9" * 400, "a whole number"),
        ("STORAGE_TIMEOUT", "61s", "at least 1s, at most 1m"),
        ("STORAGE_TIMEOUT", "5", "a duration such as 200ms, 5s, 10m or 1h30m"),
        ("STORAGE_TIMEOUT", "999999999999d", "a duration"),
        ("SERVER_HOSTS", "a,b,c,d", "at most 3 items"),
        ("SERVER_LEVEL", "loud", "one of debug, info"),
        ("SERVER_COLOUR", "green", "one of red, blue"),
        ("SERVER_RATIO", "nan", "a number, at least 0, at most 1"),
        ("SERVER_RATIO", "2", "a number, at least 0, at most 1"),
        ("SERVER_VERBOSE", "maybe", "true or false"),
        ("SERVER_LABELS", "a", "names with values"),
        ("SERVER_FOLDER", "a\0b", "a path"),
    ],
)
def test_a_value_that_breaks_its_rule_is_named_with_source_and_rule(variable: str, value: str, rule: str) -> None:
    text = wrong(**{variable: value})
    assert f"from environment QIANTANG_{variable}: must be " in text
    assert rule in text
    assert len(text) < 700


def test_a_rule_over_several_fields_is_named_by_its_section() -> None:
    assert "server: verbose and debug at once" in wrong(SERVER_VERBOSE="1", SERVER_LEVEL="debug")


def test_a_missing_value_says_how_to_set_it() -> None:
    with pytest.raises(errors.MisconfiguredError, match=r"needy\.token: must be set: who we are .*_TOKEN"):
        settings.load({"needy": Needy}, environment={})


def test_a_secret_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    for loaded in (
        load(STORAGE_PASSWORD_FILE=str(tmp_path / "password")),
        load(f'[storage]\npassword_file = "{tmp_path / "password"}"\n', tmp_path),
        load(STORAGE_PASSWORD="s3cret"),
    ):
        storage = loaded.section("storage", Storage)
        assert storage.password.reveal() == "s3cret"
        shown = f"{storage!r}{loaded!r}{settings.describe(loaded)}{storage.password}"
        assert "s3cret" not in shown


def test_a_secret_given_twice_or_unreadable_is_refused(tmp_path: Path) -> None:
    assert "set twice" in wrong(STORAGE_PASSWORD="hidden", STORAGE_PASSWORD_FILE="/x")
    assert "cannot be read" in wrong(STORAGE_PASSWORD_FILE=str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"\xff\xfehidden")
    assert "not UTF-8" in wrong(STORAGE_PASSWORD_FILE=str(tmp_path / "binary"))
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    assert "larger than" in wrong(STORAGE_PASSWORD_FILE=str(tmp_path / "large"))
    assert "hidden" not in wrong(toml="[storage]\npassword = ['hidden']\n", folder=tmp_path)


def test_a_secret_compares_and_copies_but_is_not_pickled() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert copy.deepcopy(Secret("a")).reveal() == "a"
    assert {Secret("a"): 1}[Secret("a")] == 1
    assert bool(Secret("a")) and not Secret()
    with pytest.raises(TypeError):
        pickle.dumps(Secret("a"))


def test_a_password_in_an_address_is_masked_in_rows_and_messages() -> None:
    loaded = load(STORAGE_URL="postgresql://me:hunter2@host/db")
    assert loaded.section("storage", Storage).url.endswith("hunter2@host/db")
    assert "postgresql://me:******@host/db" in {row.value for row in settings.describe(loaded)}
    assert "hunter2" not in wrong(STORAGE_POOL_SIZE="http://me:hunter2@host")


def test_a_broken_file_is_named_with_its_place(tmp_path: Path) -> None:
    text = wrong(toml="[storage]\nurl = \n", folder=tmp_path)
    assert "qiantang.toml is not TOML" in text
    assert "line 2, column 7" in text
    with pytest.raises(errors.MisconfiguredError, match="cannot be read: No such file"):
        settings.load(SECTIONS, file=tmp_path / "none.toml", environment={})
    (tmp_path / "big.toml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(errors.MisconfiguredError, match="larger than"):
        settings.load(SECTIONS, file=tmp_path / "big.toml", environment={})
    assert "a section: write [storage]" in wrong(toml="storage = 1\n", folder=tmp_path)


def test_rows_name_the_source_of_each_value(tmp_path: Path) -> None:
    loaded = load(
        "# head\n[storage]\n\npool_size = 3\n",
        tmp_path,
        flags={"storage.url": settings.Flag("sqlite:///x", "--database-url")},
        STORAGE_TIMEOUT="2s",
    )
    rows = {row.name: row for row in settings.describe(loaded)}
    assert rows["storage.pool_size"].source == f"file {tmp_path / 'qiantang.toml'}:4"
    assert rows["storage.url"].source == "flag --database-url"
    assert rows["storage.timeout"].source == "environment QIANTANG_STORAGE_TIMEOUT"
    assert rows["server.level"].source == "default"
    assert rows["storage.timeout"] == settings.Row(
        "storage.timeout", "2s", "10s", "environment QIANTANG_STORAGE_TIMEOUT", "longest wait"
    )


def test_printed_defaults_load_to_the_defaults_when_chosen(tmp_path: Path) -> None:
    text = settings.print_defaults(SECTIONS)
    chosen = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in text.split("\n")
        if "password_file" not in line and not line.endswith("=")
    )
    loaded = load(chosen, tmp_path)
    assert loaded.section("storage", Storage) == Storage()
    assert loaded.section("server", Server) == Server()
    for field in settings.fields(SECTIONS):
        assert f"# {field.meaning}" in text
        assert field.variable in text
    assert settings.describe(load(text, tmp_path)) == settings.describe(load())


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=90_000)))
def test_a_duration_reads_back_as_it_was_written(value: timedelta) -> None:
    assert settings.parse_duration(settings.format_duration(value)) == value


@given(st.text(max_size=20))
def test_no_text_breaks_the_reading_of_durations(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert settings.parse_duration(text) >= timedelta()


def test_a_badly_declared_section_is_a_fault_of_the_program() -> None:
    class Mute(msgspec.Struct):
        port: int = 1

    class Odd(msgspec.Struct):
        port: Annotated[bytes, meaning("raw")] = b""

    class Left(msgspec.Struct):
        b_c: Annotated[int, meaning("one")] = 1

    class Right(msgspec.Struct):
        c: Annotated[int, meaning("two")] = 1

    for sections, text in (
        ({"x": Mute}, "says no meaning"),
        ({"x": Odd}, "no source can hold"),
        ({"a": Left, "a_b": Right}, "both set by QIANTANG_A_B_C"),
        ({"X": Right}, "not a section name"),
    ):
        with pytest.raises(TypeError, match=text):
            settings.fields(sections)
