"""The demo: its shop is set up once, what a person changes stays, and its processes follow the platform."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from qiantang.config.model import KIND
from qiantang.identity import model
from qiantang.kernel import errors, release, settings, wire
from qiantang.messaging.model import kinds
from qiantang_server.app.demo import children, seed, shop, story
from qiantang_server.app.demo.children import Child
from qiantang_server.app.demo.files import Files
from qiantang_server.app.demo.messages import Broker
from qiantang_server.app.demo.people import People
from qiantang_server.app.demo.seed import Demo
from qiantang_server.app.process import ControlPlane, Running, identity_of, system_of
from qiantang_server.app.sections import sections
from qiantang_server.identity.service.sign_in import Caller

PROD, DEV = shop.PROTECTED, "dev"


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Running]:
    flags = {"server.folder": settings.Flag(str(folder), "--folder")}
    loaded = settings.load(sections(), file=None, environment={}, flags=flags)
    async with ControlPlane(loaded.sections).open("http://127.0.0.1:1") as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed, "HEAD_START", 0.0)
        patch.setattr(seed, "CONNECT_SECONDS", 0.0)
        yield


@pytest.fixture(scope="module")
def shop_folder(at_once: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the demo was set up."""
    folder = tmp_path_factory.mktemp("shop") / "data"

    async def make() -> None:
        async with opened(folder) as running:
            await set_up(running)

    asyncio.run(make())
    return folder


@pytest.fixture
async def running(shop_folder: Path, tmp_path: Path) -> AsyncIterator[Running]:
    """A platform with the demo set up, of the test's own."""
    shutil.copytree(shop_folder, tmp_path / "data")
    async with opened(tmp_path / "data") as found:
        yield found


async def set_up(running: Running, broker: Broker | None = None) -> None:
    """Start the demo without its processes, to the end of its story."""
    demo = Demo(running, broker)
    demo.children.clear()
    await demo._run()


async def seen(running: Running) -> Any:
    """Give all that the demo made, as it is now."""
    resources = running.kernel.resources
    found: dict[str, Any] = {}
    for service, environment in shop.places():
        bundle = service.bundle(environment)
        found[str(bundle)] = (
            (await resources.history.list_releases(bundle)).items,
            await resources.requests.list_requests(bundle),
            await resources.drafts.pending(bundle),
            await resources.gray.status(bundle),
        )
    identity = identity_of(running)
    found["people"] = (await identity.people.list_users(system_of(running), shop.TENANT)).items
    found["grants"] = (await identity.granting.list_grants(system_of(running), shop.TENANT)).items
    return found


async def told(running: Running, service: shop.Service, environment: str) -> list[tuple[str, str, str]]:
    releases = await running.kernel.resources.history.list_releases(service.bundle(environment))
    return [(one.action, one.author, one.approved_by) for one in reversed(releases.items)]


async def test_the_shop_has_a_history_of_its_people(running: Running) -> None:
    assert await told(running, shop.ORDER, PROD) == [
        ("publish", "ada", "mei"),
        ("publish", "lin", "mei"),
        ("rollback", "lin", ""),
        ("publish", "lin", "ada"),
        ("gray", "lin", "mei"),
    ]
    found = await seen(running)
    _, (asked,), _, _ = found[str(shop.BILLING.bundle(PROD))]
    assert (asked.state, asked.author) == ("waiting", "lin")
    _, _, _, gray = found[str(shop.ORDER.bundle(PROD))]
    assert gray.rule.labels == [{"track": "canary"}]
    assert [one.author for one in found[str(shop.STOCK.bundle(PROD))][2].pending] == ["ada"]
    assert [one.author for one in found[str(shop.ORDER.bundle(PROD))][2].pending] == ["lin"]
    assert all(released for released, *_ in list(found.values())[:-2]), "each was published"


async def test_people_sign_in_with_passwords_that_only_the_owner_of_the_folder_can_read(running: Running) -> None:
    files = Files(running.kernel.folder)
    passwords = files.read_passwords()
    assert set(passwords) == {"ada", "lin", "mei"}
    for file in files.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    for name, password in passwords.items():
        command = model.SignIn(name=name, password=password, tenant=shop.TENANT)
        signed_in = await identity_of(running).signing_in.sign_in(command, Caller(address="127.0.0.1"))
        assert signed_in.user.name == name
    assert len(set(passwords.values())) == 3


async def test_the_first_administrator_can_be_made_all_the_same(running: Running) -> None:
    identity = identity_of(running)
    token = await identity.first_start_token()
    assert token
    command = model.FirstStart(token=token, name="root", password="correct horse battery staple")
    made = await identity.signing_in.first_start(command, Caller(address="127.0.0.1"))
    assert made.user.tenant == ""
    assert await identity.first_start_token() is None


async def test_starting_twice_changes_nothing(running: Running) -> None:
    before, files = await seen(running), Files(running.kernel.folder)
    passwords = files.read_passwords()
    await set_up(running)
    assert await seen(running) == before
    assert files.read_passwords() == passwords


async def test_what_a_person_changed_stays(running: Running) -> None:
    identity, resources, system = identity_of(running), running.kernel.resources, system_of(running)
    people = {one.name: one for one in (await identity.people.list_users(system, shop.TENANT)).items}
    await identity.people.delete_user(system, shop.TENANT, people["mei"].id)
    await identity.estate.delete_application(system, shop.TENANT, "finance", "billing")
    bundle = shop.STOCK.bundle(PROD)
    drafted = await resources.drafts.read(bundle, KIND, "reservation")
    await resources.drafts.discard(system, bundle, KIND, "reservation", expected=drafted.version)
    bundle = shop.ORDER.bundle(DEV)
    command = release.RollbackCommand(to_revision=1, expected_revision=2, message="mine")
    await resources.publishing.roll_back(system, bundle, command)
    before = await seen(running)
    await set_up(running)
    assert await seen(running) == before
    with pytest.raises(errors.GoneError):
        await resources.drafts.save(system, shop.BILLING.bundle(DEV), KIND, "new", {"format": "text"}, expected="0")


async def cluster(running: Running, environment: str) -> tuple[int, dict[str, Any]]:
    """Give the revision of what the orders' messages go over, and what it is."""
    resources, bundle = running.kernel.resources, shop.ORDER.bundle(environment, kinds.CAPABILITY)
    found = await resources.drafts.read(bundle, kinds.CLUSTER, "main")
    return (await resources.history.status(bundle)).position.revision, found.published


async def test_services_tell_each_other_of_orders_over_a_file_and_over_another_broker_where_one_is_named(
    running: Running,
) -> None:
    revision, published = await cluster(running, PROD)
    assert (revision, published["adapter"]) == (1, "sql")
    assert published["resources"][0]["url"].endswith("/data/demo/messages-prod.sqlite3")
    history = running.kernel.resources.history
    for service in (shop.STOCK, shop.BILLING):
        for environment in (PROD, DEV):
            assert (await history.status(service.bundle(environment, kinds.CAPABILITY))).position.revision == 1
    broker = Broker.at("rabbitmq", "amqp://shop:a-password@127.0.0.1:9/")
    await set_up(running, broker)
    await set_up(running, broker)
    revision, published = await cluster(running, PROD)
    assert (revision, published["adapter"]) == (2, "rabbitmq")
    assert "a-password" not in str(published)
    assert broker.shown == "rabbitmq at 127.0.0.1:9/"
    assert (await cluster(running, DEV))[0] == 1, "the messages of dev never meet those of prod"
    await set_up(running)
    revision, published = await cluster(running, PROD)
    assert (revision, published["adapter"]) == (3, "sql")


@pytest.mark.parametrize(
    ("adapter", "place", "url"),
    [
        ("kafka", "h:9092,i:9092", "kafka://h:9092,i:9092"),
        ("rabbitmq", "h:5672", "amqp://h:5672"),
        ("activemq", "stomp://u:p@h:61613", "stomp://u:p@h:61613"),
        ("rocketmq", "h:8081", "rocketmq://h:8081"),
    ],
)
def test_a_broker_is_named_by_its_place_or_its_address(adapter: str, place: str, url: str) -> None:
    assert Broker.at(adapter, place) == Broker(adapter, url)


async def test_a_first_start_that_was_interrupted_is_brought_to_its_end(running: Running, tmp_path: Path) -> None:
    wanted = [await told(running, *place) for place in shop.places()]
    async with opened(tmp_path / "halves") as fresh:
        people = await People(fresh, Files(fresh.kernel.folder)).settle()
        await story.Story(fresh.kernel.resources, people).go(story.past()[:7])
        await set_up(fresh)
        assert [await told(fresh, *place) for place in shop.places()] == wanted


async def test_each_instance_has_the_credential_of_its_place_until_the_place_is_gone(running: Running) -> None:
    tell = Demo(running)._teller(shop.BILLING)
    first = wire.decode(await tell(), dict[str, Any])
    names = [(one["options"]["instance"], one["options"]["environment"]) for one in first["instances"]]
    assert names == [("billing-1", PROD), ("billing-2", PROD), ("billing-dev-1", DEV)]
    again = wire.decode(await Demo(running)._teller(shop.BILLING)(), dict[str, Any])
    assert len({one["options"]["credential"] for one in first["instances"]}) == 2
    await identity_of(running).estate.delete_environment(system_of(running), shop.TENANT, DEV)
    left = wire.decode(await tell(), dict[str, Any])
    assert [one["options"]["instance"] for one in left["instances"]] == ["billing-1", "billing-2"]
    await identity_of(running).estate.delete_application(system_of(running), shop.TENANT, "finance", "billing")
    assert await tell() == b""
    assert again["instances"], "a new server has credentials as well"


# processes


async def line() -> bytes:
    return b"a line"


async def ended(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.02)
    return False


@contextlib.asynccontextmanager
async def kept(child: Child) -> AsyncGenerator[asyncio.Task[None]]:
    task = asyncio.create_task(child.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.process
async def test_a_child_that_ends_is_started_again_with_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(children.asyncio, "sleep", noted)
    monkeypatch.setattr(children, "LONGEST_PAUSE", 4.0)
    command = (sys.executable, "-S", "-c", "import sys; sys.stdin.readline(); sys.exit(3)")
    async with kept(Child("short", line, command, pause=1.0)):
        async with asyncio.timeout(30):
            while len(pauses) < 5:
                await sleep(0.02)
    assert pauses[:5] == [1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.process
@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_child_ends_with_its_parent_and_leaves_ctrl_c_to_it(
    stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "STOP_SECONDS", 1.0)
    ignoring = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if stubborn else ""
    text = f"import signal, sys, time; {ignoring} sys.stdin.readline(); print('up', flush=True); time.sleep(60)"
    child = Child("long", line, (sys.executable, "-S", "-c", text))
    async with kept(child):
        async with asyncio.timeout(30):
            while child.process is None:
                await asyncio.sleep(0.02)
        process = child.process
        os.kill(process.pid, signal.SIGINT)
        await asyncio.sleep(0.5)
        assert process.returncode is None
    assert await ended(process.pid)


@pytest.mark.process
@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6])
async def test_a_host_is_quiet_when_it_is_ended_early(after: float) -> None:
    process = await asyncio.create_subprocess_exec(
        *children.QUIET, *children.HOST, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env=children.environment(), start_new_session=True,
    )  # fmt: skip
    await asyncio.sleep(after)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    said, _ = await process.communicate()  # closes its standard input
    assert said == b""
    assert process.returncode in {0, -signal.SIGTERM, -signal.SIGINT}


@pytest.mark.process
async def test_a_host_ends_when_its_standard_input_does() -> None:
    process = await asyncio.create_subprocess_exec(
        *children.HOST, stdin=asyncio.subprocess.PIPE, env=children.environment()
    )
    assert process.stdin is not None
    process.stdin.write(wire.encode({"program": "order", "instances": []}) + b"\n")
    await process.stdin.drain()
    await asyncio.sleep(0.2)
    assert process.returncode is None
    process.stdin.close()
    async with asyncio.timeout(30):
        assert await process.wait() == 0


def test_no_setting_of_the_operators_own_programs_reaches_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIANTANG_CLIENT_ZOOKEEPER", "zk:2181")
    assert not [name for name in children.environment() if name.startswith("QIANTANG_")]
    assert "PATH" in children.environment()


def test_the_programs_are_short_and_there_is_one_copy_of_them() -> None:
    folder = Path(children.__file__).parent / "estate"
    programs = sorted(file.name for file in folder.glob("*.py"))
    assert programs == sorted(["services.py", *(f"{service.name}.py" for service in shop.SERVICES)])
    for name in programs:
        assert len((folder / name).read_text().splitlines()) <= 165
    checkout = Path(__file__).parents[3] / "examples" / "estate"
    assert folder.resolve() == checkout.resolve()
