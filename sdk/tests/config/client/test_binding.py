"""Live views: typed, swapped all together or not at all, read-only, silent about secrets."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config import ConfigClient, MismatchError, NotOpenError
from qiantang.config.testing import SCOPE, FakeConfig
from qiantang.kernel import errors, runtime


class Pool(msgspec.Struct):
    size: int = 4


class Database(msgspec.Struct):
    url: str = "sqlite://"
    password: str = ""
    pool: Pool = msgspec.field(default_factory=Pool)

    def address(self) -> str:
        return f"{self.url}?{self.pool.size}"

    @property
    def is_local(self) -> bool:
        return self.url.startswith("sqlite")


@dataclasses.dataclass
class Plain:
    greeting: str = "hello"


class Model(pydantic.BaseModel):
    greeting: str = "hello"


class Needs(msgspec.Struct):
    port: int


def test_a_view_follows_and_the_models_defaults_are_the_declared_ones() -> None:
    config = FakeConfig({"db.pool.size": "7"})
    database, plain, model = config.bind(Database, "db"), config.bind(Plain), config.bind(Model)
    assert (database.url, database.pool.size, plain.greeting, model.greeting) == ("sqlite://", 7, "hello", "hello")
    config.set({"db.url": "pg://", "greeting": "good day"})
    assert (database.url, database.pool.size, plain.greeting, model.greeting) == ("pg://", 7, "good day", "good day")
    config.remove("db", "greeting")
    assert (database.url, database.pool.size, plain.greeting) == ("sqlite://", 4, "hello")


def test_methods_and_properties_of_the_model_read_what_is_in_use() -> None:
    config = FakeConfig()
    database = config.bind(Database, "db")
    assert (database.address(), database.is_local) == ("sqlite://?4", True)
    config.set({"db": {"url": "pg://", "pool": {"size": 2}}})
    assert (database.address(), database.is_local) == ("pg://?2", False)
    with pytest.raises(AttributeError, match="no_such"):
        _ = database.no_such  # type: ignore[attr-defined]


def test_a_view_passes_for_an_instance_and_is_read_only() -> None:
    config = FakeConfig()
    database = config.bind(Database, "db")
    assert isinstance(database, Database)
    assert "url" in dir(database)
    with pytest.raises(AttributeError, match="live settings"):
        database.url = "x"
    with pytest.raises(AttributeError, match="live settings"):
        del database.url
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pin"):
            take(database)


def test_binding_the_same_again_gives_the_same_view() -> None:
    config = FakeConfig()
    assert config.bind(Database, "db") is config.bind(Database, "db")
    assert config.bind(Database) is not config.bind(Database, "db")


def test_other_namespaces() -> None:
    config = FakeConfig()
    shared = config.bind(Plain, namespace="shared")
    config.set({"greeting": "from there"}, namespace="shared")
    assert shared.greeting == "from there"
    assert config.get("greeting", namespace="shared") == "from there"
    assert config.get("greeting") is None


def test_what_does_not_fit_changes_nothing_anywhere_and_a_later_release_repairs_it() -> None:
    config = FakeConfig({"db.pool.size": 1, "greeting": "a"})
    database, plain = config.bind(Database, "db"), config.bind(Plain)
    with pytest.raises(MismatchError) as caught:
        config.set({"db.pool.size": "many", "greeting": "b"})
    assert "Database" in str(caught.value)
    assert caught.value.problems[0].path == "db.pool.size"
    assert "test/test/application" in caught.value.problems[0].message
    assert (database.pool.size, plain.greeting, config.get("greeting"), config.pin().revision) == (1, "a", "a", 1)
    config.set({"db.pool.size": "3", "greeting": "c"})
    assert (database.pool.size, plain.greeting, config.pin().revision) == (3, "c", 2)


def test_every_model_that_does_not_fit_is_named() -> None:
    config = FakeConfig({"db.pool.size": 1, "port": 1})
    config.bind(Database, "db"), config.bind(Needs)
    with pytest.raises(MismatchError) as caught:
        config.set({"db.pool.size": "x", "port": "y"})
    assert sorted(problem.path for problem in caught.value.problems) == ["db.pool.size", "port"]


def test_a_missing_setting_without_a_default_says_what_to_do() -> None:
    config = FakeConfig({"server.port": 1})
    server = config.bind(Needs, "server")
    with pytest.raises(MismatchError, match="declares no default"):
        config.remove("server")
    with pytest.raises(MismatchError, match=r"other.port: has no value"):
        config.bind(Needs, "other")
    assert server.port == 1
    assert config.set({"other.port": "2"}) == []
    assert config.bind(Needs, "other").port == 2


def test_a_part_that_did_not_change_keeps_its_instance() -> None:
    config = FakeConfig({"db.url": "pg://", "greeting": "a"})
    database = config.bind(Database, "db")
    with config.pin() as before:
        held = before[database]
    config.set({"greeting": "b"})
    assert config.pin()[database] is held


def test_secrets_show_nowhere() -> None:
    config = FakeConfig({"db": {"password": "hunter22"}}, secrets=["db.password"])
    database = config.bind(Database, "db")
    assert database.password == "hunter22"
    assert f"{database.password}" == "hunter22"
    shown = [repr(database), repr(config.pin()[database]), repr(database.password), repr(config.get("db"))]
    shown += [repr(config.explain()), repr(config.pin()), repr(config.box.state)]
    assert not [text for text in shown if "hunter22" in text]


def test_errors_do_not_show_secrets() -> None:
    class Strict(msgspec.Struct):
        password: str = ""

        def __post_init__(self) -> None:
            if len(self.password) > 8:
                raise ValueError(f"{self.password} is too long")

    config = FakeConfig({"db.password": "hunter22"}, secrets=["db.password", "db.pool.size"])
    config.bind(Strict, "db"), config.bind(Database, "db")
    with pytest.raises(MismatchError) as caught:
        config.set({"db": {"password": "hunter2-and-more", "pool": {"size": "s3cr3t-size"}}})
    assert "hunter2" not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert "db.pool.size" in str(caught.value)
    assert caught.value.__cause__ is None


def test_before_the_app_is_open_nothing_can_be_read_and_the_error_says_why() -> None:
    config = ConfigClient(SCOPE, "default")
    database = config.bind(Database, "db")
    for read in (lambda: database.url, lambda: config.get("x"), config.pin, config.explain):
        with pytest.raises(NotOpenError, match="open the App first"):
            read()
    assert "Database" in repr(database)
    runtime.call(config.take({}))
    assert database.url == "sqlite://"


def test_an_application_that_was_removed_keeps_nothing() -> None:
    config = FakeConfig({"port": 1, "greeting": "a"})
    needs, plain = config.bind(Needs), config.bind(Plain)
    runtime.call(config.take({}))
    assert plain.greeting == "hello"
    assert config.get("greeting") is None
    with pytest.raises(errors.GoneError, match="was removed"):
        _ = needs.port
    config.set({"port": 2})
    assert needs.port == 2


def test_get_reads_text_as_what_the_default_is() -> None:
    config = FakeConfig({"port": "8080", "on": "yes", "list": [1, {"a": 2}], "n": 3, "bad": "x"})
    assert (config.get("port"), config.get("port", 1), config.get("port", 1.0)) == ("8080", 8080, 8080.0)
    assert (config.get("on", False), config.get("none", 7), config.get("n", 1.0), config.get("list.1.a")) == (
        True,
        7,
        3,
        2,
    )
    assert config.get("list") == (1, {"a": 2})
    with pytest.raises(MismatchError, match="bad in namespace application"):
        config.get("bad", 1)


def test_explain_says_which_layer_gave_a_value() -> None:
    config = FakeConfig({"db": {"url": "x", "pool": {"size": 1}}})
    assert [one.path for one in config.explain("db")] == ["db.pool.size", "db.url"]
    assert str(config.explain("db.url")[0].origin) == "test/test/application at 1:1"
    assert config.explain("nothing") == []
    assert config.explain(namespace="nowhere") == []


def test_only_views_can_be_looked_up_in_a_pinned_moment() -> None:
    with pytest.raises(TypeError, match=r"config\.bind"):
        FakeConfig().pin()[Database()]


def test_a_view_bound_after_the_pin_is_read_from_the_pinned_moment() -> None:
    config = FakeConfig({"greeting": "a"})
    pinned = config.pin()
    config.set({"greeting": "b"})
    plain = config.bind(Plain)
    assert (pinned[plain].greeting, pinned.get("greeting"), plain.greeting) == ("a", "a", "b")


class One(msgspec.Struct):
    value: int = 0


class Two(msgspec.Struct):
    value: int = 0
    double: int = 0


def test_all_models_change_in_the_same_instant_for_every_reader() -> None:
    config = FakeConfig({"value": 0, "double": 0})
    one, two = config.bind(One), config.bind(Two)
    torn: list[object] = []
    over = threading.Event()

    def read() -> None:
        last = 0
        while not over.is_set():
            with config.pin() as pinned:
                values = (pinned[one].value, pinned[two].value, pinned.get("value"), pinned.revision - 1)
                if len({*values}) != 1 or pinned[two].double != 2 * values[0] or values[0] < last:
                    torn.append(values)
                last = values[0]
            before, after = one.value, two.value  # two reads: never backwards
            if after < before:
                torn.append((before, after))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for value in range(1, 60):
        config.set({"value": value, "double": 2 * value})
    over.set()
    for reader in readers:
        reader.join(10)
    assert torn == []
    assert config.pin().revision == 60


def test_binding_from_many_threads_while_releases_come() -> None:
    config = FakeConfig({"value": 0})
    models = [msgspec.defstruct(f"Bound{number}", [("value", int, 0)]) for number in range(40)]
    views: list[object] = []

    def bind(some: list[type]) -> None:
        views.extend(config.bind(model) for model in some)

    binders = [threading.Thread(target=bind, args=(models[number::4],)) for number in range(4)]
    for binder in binders:
        binder.start()
    for value in range(1, 60):
        config.set({"value": value})
    for binder in binders:
        binder.join(10)
    assert [view.value for view in views] == [59] * 40  # type: ignore[attr-defined]


_published = st.fixed_dictionaries(
    {}, optional={"value": st.integers(0, 5) | st.just("x"), "double": st.integers(0, 5)}
)


@given(st.lists(_published, max_size=8))
def test_a_stream_of_releases_is_seen_as_whole_or_not_at_all(releases: list[dict[str, object]]) -> None:
    config = FakeConfig({"value": 0, "double": 0})
    one, two = config.bind(One), config.bind(Two)
    expected: dict[str, object] = {"value": 0, "double": 0}
    for release in releases:
        before = config.pin()
        seen = (before[one].value, before[two].double)
        wanted = {**expected, **release}
        try:
            config.set(release)
        except MismatchError:
            assert wanted["value"] == "x"
        else:
            expected = wanted
        assert (one.value, two.value, two.double) == (expected["value"], expected["value"], expected["double"])
        assert (before[one].value, before[two].double) == seen
