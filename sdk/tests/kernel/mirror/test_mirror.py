"""The running mirror against a control plane in this process: start, swap, listeners, faults, fork, many at once."""

import asyncio
import logging
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qiantang.kernel import errors, resource, runtime, scope
from qiantang.kernel.mirror import ContentRejectedError, Mirror, MirrorView, Outcome
from qiantang.kernel.mirror import listeners as listeners_module
from qiantang.kernel.testing import FakeControlPlane
from qiantang.kernel.uplink import Uplink

SHARED = resource.Bundle(
    scope=scope.Scope(tenant="acme", environment="test", center="main", application="shared"), capability="config"
)


@pytest.fixture
def plane():
    with FakeControlPlane() as made:
        made.publish(made.bundle("config"), {"application": 1})
        yield made


def make(plane: FakeControlPlane, *capabilities: str, **options: Any) -> Mirror:
    options.setdefault("secret", plane.secret)
    uplink = options.pop("uplink", None) or plane.uplink()
    instance = scope.Instance(name="one", process=os.getpid())
    return Mirror(uplink, plane.scope, instance, capabilities or ("config",), **options)


def content(view: MirrorView, plane: FakeControlPlane, capability: str = "config") -> Any:
    snapshot = view.snapshots.get(plane.bundle(capability))
    return None if snapshot is None else int(bytes(snapshot.entries[0].content))


def copies(folder: Path) -> list[Path]:
    return list(folder.glob("*.copy"))


async def until(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        await asyncio.sleep(0.005)


class Recorder:
    """A listener that remembers, and does what a test wants."""

    def __init__(self, plane: FakeControlPlane) -> None:
        self.plane = plane
        self.heard: list[tuple[Any, Any]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.error: Exception | None = None

    async def __call__(self, before: MirrorView, after: MirrorView) -> Outcome:
        while not self.hold.is_set():  # set from another thread
            await asyncio.sleep(0.005)
        self.heard.append((content(before, self.plane), content(after, self.plane)))
        if self.error is not None:
            raise self.error
        return Outcome()


async def test_opens_from_the_center_and_follows_it(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    heard = Recorder(plane)
    mirror.subscribe("config", heard)
    view = await mirror.open()
    assert (content(view, plane), view.source, view.stale_since, view.problem) == (1, "center", None, None)
    assert len(plane.fetched) == 1
    plane.publish(plane.bundle("config"), {"application": 2})
    await until(lambda: content(mirror.view, plane) == 2)
    assert content(view, plane) == 1  # a view that is held never changes
    await until(lambda: heard.heard == [(None, 1), (1, 2)])
    await plane.until(lambda: 2 in [word.position.revision for word in plane.acknowledged])
    assert {word.status for word in plane.acknowledged} == {"applied"}
    await mirror.close()
    assert content(mirror.view, plane) == 2
    await plane.until(lambda: plane.streams == 0)


def test_blocking_programs_use_it_too(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    assert content(runtime.call(mirror.open(), 5), plane) == 1
    runtime.call(mirror.close(), 5)


async def test_a_move_without_a_change_of_content_troubles_no_listener(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    heard = Recorder(plane)
    mirror.subscribe("config", heard)
    plane.publish(plane.bundle("config"), {"application": 1})
    await plane.until(lambda: plane.acknowledged and plane.acknowledged[-1].position.revision == 2)
    assert heard.heard == []
    assert mirror.view.snapshots[plane.bundle("config")].position.revision == 2
    await mirror.close()


async def test_linked_bundles_come_in_one_view(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    views: list[MirrorView] = []

    async def listen(_before: MirrorView, after: MirrorView) -> None:
        views.append(after)

    mirror.subscribe("config", listen)
    plane.publish(SHARED, {"application": 10})
    plane.publish(plane.bundle("config"), {"application": 2}, links=[SHARED])
    await until(lambda: views)
    assert set(views[0].snapshots) == {plane.bundle("config"), SHARED}
    plane.publish(SHARED, {"application": 11})
    await until(lambda: len(views) == 2)
    assert mirror.view.snapshots[SHARED].position.revision == 2
    await mirror.close()


async def test_a_rejected_content_leaves_the_old_in_use_and_is_acknowledged(plane: FakeControlPlane) -> None:
    plane.publish(plane.bundle("rpc"), {"application": 1})
    mirror = make(plane, "config", "rpc")
    asked: list[Any] = []

    async def prepare(_before: MirrorView, after: MirrorView) -> Outcome:
        asked.append(content(after, plane))
        if content(after, plane) == 2:
            return Outcome(status="rejected", error="port: 2 is not allowed")
        return Outcome()

    heard = Recorder(plane)
    mirror.subscribe("config", heard, prepare=prepare)
    await mirror.open()
    plane.publish(plane.bundle("config"), {"application": 2})
    await plane.until(lambda: [word for word in plane.acknowledged if word.status == "rejected"])
    word = next(word for word in plane.acknowledged if word.status == "rejected")
    assert (word.position.revision, word.error) == (2, "port: 2 is not allowed")
    assert content(mirror.view, plane) == 1
    assert isinstance(mirror.view.problem, ContentRejectedError)
    plane.publish(plane.bundle("rpc"), {"application": 5})  # another capability goes on
    await until(lambda: content(mirror.view, plane, "rpc") == 5)
    assert content(mirror.view, plane) == 1
    assert asked == [1, 2]  # not asked again about the same
    plane.publish(plane.bundle("config"), {"application": 3})
    await until(lambda: content(mirror.view, plane) == 3)
    await until(lambda: heard.heard == [(None, 1), (1, 3)])
    assert mirror.view.problem is None
    await mirror.close()


async def test_a_prepare_that_raises_rejects(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()

    async def prepare(_before: MirrorView, _after: MirrorView) -> None:
        raise ValueError("does not fit")

    mirror.subscribe("config", Recorder(plane), prepare=prepare)
    plane.publish(plane.bundle("config"), {"application": 2})
    await plane.until(lambda: plane.acknowledged[-1:] and plane.acknowledged[-1].status == "rejected")
    assert plane.acknowledged[-1].error == "ValueError: does not fit"
    assert content(mirror.view, plane) == 1
    await mirror.close()


async def test_a_listener_that_raises_is_acknowledged_as_failed_and_called_once(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    heard = Recorder(plane)
    heard.error = RuntimeError("broken")
    mirror.subscribe("config", heard)
    plane.publish(plane.bundle("config"), {"application": 2})
    await plane.until(lambda: plane.acknowledged[-1:] and plane.acknowledged[-1].status == "failed")
    assert plane.acknowledged[-1].error == "RuntimeError: broken"
    assert content(mirror.view, plane) == 2
    assert heard.heard == [(1, 2)]
    assert mirror.status().bundles[0].status == "failed"
    await mirror.close()


async def test_a_listener_of_the_wrong_shape_is_reported(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    wrong: Any = lambda: None  # noqa: E731  # takes no arguments
    mirror.subscribe("config", wrong)
    plane.publish(plane.bundle("config"), {"application": 2})
    await plane.until(lambda: plane.acknowledged[-1:] and plane.acknowledged[-1].status == "failed")
    assert plane.acknowledged[-1].error.startswith("TypeError")
    await mirror.close()


async def test_a_listener_that_hangs_is_given_up(plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners_module, "LISTENER_SECONDS", 0.1)
    mirror = make(plane)
    await mirror.open()
    heard = Recorder(plane)
    heard.hold.clear()
    mirror.subscribe("config", heard)
    plane.publish(plane.bundle("config"), {"application": 2})
    await plane.until(lambda: plane.acknowledged[-1:] and plane.acknowledged[-1].status == "failed")
    assert plane.acknowledged[-1].error == "not done within 0.1 s"
    await mirror.close()


async def test_a_slow_listener_holds_up_nobody_and_hears_the_latest(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    slow, quick = Recorder(plane), Recorder(plane)
    slow.hold.clear()
    mirror.subscribe("config", slow)
    mirror.subscribe("config", quick)
    for number in range(2, 8):
        plane.publish(plane.bundle("config"), {"application": number})
        await until(lambda number=number: content(mirror.view, plane) == number)
    await until(lambda: quick.heard[-1:] == [(6, 7)])
    assert all(word.position.revision == 1 for word in plane.acknowledged)  # not before all are done
    slow.hold.set()
    await until(lambda: slow.heard == [(1, 2), (2, 7)])
    await plane.until(lambda: 7 in [word.position.revision for word in plane.acknowledged])
    await mirror.close()


async def test_a_cancelled_subscription_hears_no_more(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    heard, other = Recorder(plane), Recorder(plane)
    mirror.subscribe("config", heard).cancel()
    mirror.subscribe("config", other)
    plane.publish(plane.bundle("config"), {"application": 2})
    await until(lambda: other.heard == [(1, 2)])
    assert heard.heard == []
    await mirror.close()


async def test_a_killed_server_is_said_once_and_so_is_its_return(
    plane: FakeControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "qiantang.kernel.mirror")
    mirror = make(plane)
    await mirror.open()
    plane.kill()
    await until(lambda: mirror.view.stale_since is not None)
    since = mirror.view.stale_since
    assert content(mirror.view, plane) == 1
    await until(lambda: [one for one in caplog.records if "is away" in one.message])
    await asyncio.sleep(1)
    assert mirror.view.stale_since == since
    assert not mirror.status().connected
    plane.publish(plane.bundle("config"), {"application": 2})
    plane.restart()
    await until(lambda: content(mirror.view, plane) == 2)
    await until(lambda: mirror.view.stale_since is None and mirror.view.problem is None)
    said = [record.message for record in caplog.records if record.name == "qiantang.kernel.mirror.stream"]
    assert said == ["the control plane is away: what is held stays in use", "the control plane is back"]
    await mirror.close()


async def test_after_a_return_without_a_change_nothing_is_fetched(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    plane.kill()
    await until(lambda: mirror.view.stale_since is not None)
    plane.restart()
    await until(lambda: mirror.view.stale_since is None)
    assert len(plane.fetched) == 1
    await plane.until(lambda: plane.opened[-1].held)
    assert plane.opened[-1].held[0].position.revision == 1
    await mirror.close()


async def test_starts_from_disk_without_a_server_then_catches_up(plane: FakeControlPlane, tmp_path: Path) -> None:
    first = make(plane, folder=tmp_path)
    await first.open()
    await until(lambda: copies(tmp_path))
    await first.close()
    plane.kill()
    clock = time.time()
    second = make(plane, folder=tmp_path)
    heard = Recorder(plane)
    second.subscribe("config", heard)
    view = await second.open(deadline=30)
    assert (content(view, plane), view.source) == (1, "disk")
    assert view.stale_since is not None
    assert view.stale_since <= clock
    assert isinstance(view.problem, errors.UnavailableError)
    plane.publish(plane.bundle("config"), {"application": 2})
    plane.restart()
    await until(lambda: content(second.view, plane) == 2)
    assert second.view.source == "center"
    await until(lambda: heard.heard == [(None, 1), (1, 2)])  # listeners are told after the swap
    await second.close()


async def test_a_hanging_server_costs_the_deadline_only(plane: FakeControlPlane, tmp_path: Path) -> None:
    first = make(plane, folder=tmp_path)
    await first.open()
    await until(lambda: copies(tmp_path))
    await first.close()
    plane.hang = True
    second = make(plane, folder=tmp_path)
    view = await second.open(deadline=0.3)
    assert (content(view, plane), view.source) == (1, "disk")
    plane.hang = False
    await until(lambda: second.view.source == "center")
    await second.close()


async def test_with_nothing_anywhere_the_view_is_empty(plane: FakeControlPlane, tmp_path: Path) -> None:
    plane.kill()
    mirror = make(plane, folder=tmp_path)
    view = await mirror.open(deadline=1)
    assert (dict(view.snapshots), view.source, view.stale_since) == ({}, "none", None)
    assert isinstance(view.problem, errors.UnavailableError)
    plane.restart()
    await until(lambda: content(mirror.view, plane) == 1)
    await mirror.close()


@pytest.mark.parametrize(
    "refusal", [errors.UnauthenticatedError("unknown"), errors.ForbiddenError("no"), errors.GoneError("removed")]
)
async def test_a_refusal_never_falls_back_to_disk(
    plane: FakeControlPlane, tmp_path: Path, refusal: errors.QiantangError
) -> None:
    first = make(plane, folder=tmp_path)
    await first.open()
    await until(lambda: copies(tmp_path))
    await first.close()
    plane.refuse(refusal)
    second = make(plane, folder=tmp_path)
    view = await second.open(deadline=30)
    assert (dict(view.snapshots), view.source) == ({}, "none")
    assert type(view.problem) is type(refusal)
    await second.close()
    assert bool(copies(tmp_path)) != isinstance(refusal, errors.GoneError)


async def test_a_refusal_later_keeps_what_is_in_memory(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    plane.refuse(errors.ForbiddenError("not any more"))
    plane.publish(plane.bundle("config"), {"application": 2})
    await until(lambda: isinstance(mirror.view.problem, errors.ForbiddenError))
    assert content(mirror.view, plane) == 1
    calls = len(plane.fetched)
    await asyncio.sleep(0.3)
    assert len(plane.fetched) == calls
    await mirror.close()


async def test_what_is_gone_is_dropped_everywhere(plane: FakeControlPlane, tmp_path: Path) -> None:
    mirror = make(plane, folder=tmp_path)

    async def prepare(_before: MirrorView, after: MirrorView) -> Outcome:
        return Outcome() if after.snapshots else Outcome(status="rejected", error="I want to keep it")

    heard = Recorder(plane)
    mirror.subscribe("config", heard, prepare=prepare)
    await mirror.open()
    await until(lambda: copies(tmp_path))
    plane.say_gone("the application was removed")
    await until(lambda: not mirror.view.snapshots)
    assert isinstance(mirror.view.problem, errors.GoneError)
    await until(lambda: not copies(tmp_path))
    await until(lambda: heard.heard == [(None, 1), (1, None)])
    await mirror.close()


async def test_lost_notices_are_repaired_by_the_poll() -> None:
    with FakeControlPlane(poll_seconds=0.2) as plane:
        plane.drop_notices = True
        plane.publish(plane.bundle("config"), {"application": 1})
        mirror = make(plane)
        await mirror.open()
        plane.publish(plane.bundle("config"), {"application": 2})
        await until(lambda: content(mirror.view, plane) == 2)
        await mirror.close()


async def test_an_out_of_date_server_does_not_set_the_mirror_back(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    plane.answer_stale = True
    plane.publish(plane.bundle("config"), {"application": 2})
    await plane.until(lambda: len(plane.fetched) >= 3)
    assert content(mirror.view, plane) == 1
    assert mirror.view.stale_since is not None
    plane.answer_stale = False
    await until(lambda: content(mirror.view, plane) == 2)
    await until(lambda: mirror.view.stale_since is None)
    await mirror.close()


async def test_a_database_restored_from_an_older_copy_wins(plane: FakeControlPlane) -> None:
    plane.publish(plane.bundle("config"), {"application": 2})
    mirror = make(plane)
    assert content(await mirror.open(), plane) == 2
    plane.kill()
    plane.restore(plane.bundle("config"), revision=1)
    plane.restart()
    await until(lambda: content(mirror.view, plane) == 1)
    assert mirror.view.snapshots[plane.bundle("config")].position == resource.Position(epoch=2, revision=1)
    await mirror.close()


async def test_a_goodbye_leads_to_the_other_server(plane: FakeControlPlane) -> None:
    with FakeControlPlane() as other:
        other.secret = plane.secret
        other.publish(other.bundle("config"), {"application": 1})
        uplink = Uplink([plane.address], credential_id=plane.credential_id, secret=plane.secret)
        plane.servers = [plane.address, other.address]
        mirror = make(plane, uplink=uplink)
        await mirror.open()
        plane.say_goodbye()
        await other.until(lambda: other.streams == 1)
        await mirror.close()


async def test_a_wrong_secret_is_a_refusal(plane: FakeControlPlane) -> None:
    mirror = make(plane, uplink=Uplink([plane.address], credential_id=plane.credential_id, secret="wrong"))
    view = await mirror.open(deadline=30)
    assert isinstance(view.problem, errors.UnauthenticatedError)
    await mirror.close()


async def test_subscribing_from_many_threads_misses_nothing(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    await mirror.open()
    heard = [Recorder(plane) for _ in range(50)]
    threads = [threading.Thread(target=mirror.subscribe, args=("config", one)) for one in heard]
    for number, thread in enumerate(threads):
        thread.start()
        if number % 10 == 0:
            plane.publish(plane.bundle("config"), {"application": 100 + number})
    for thread in threads:
        thread.join()
    plane.publish(plane.bundle("config"), {"application": 1000})
    await until(lambda: all(one.heard and one.heard[-1][1] == 1000 for one in heard))
    await mirror.close()


async def test_two_hundred_mirrors_live_on_the_one_thread(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    mirrors = [make(plane, uplink=uplink) for _ in range(200)]
    await asyncio.gather(*(mirror.open(deadline=30) for mirror in mirrors))
    names = [one.name for one in threading.enumerate()]
    assert names.count("qiantang-io") == 1
    assert names.count("qiantang-worker") <= runtime.WORKERS
    plane.publish(plane.bundle("config"), {"application": 2})
    await until(lambda: all(content(mirror.view, plane) == 2 for mirror in mirrors))
    await asyncio.gather(*(mirror.close() for mirror in mirrors))
    await uplink.close()


def _child(mirror: Mirror, plane: FakeControlPlane, told: Any, queue: Any) -> None:
    queue.put(content(mirror.view, plane))  # at once, from memory
    told.wait(10)
    ends = time.monotonic() + 10
    while content(mirror.view, plane) != 2 and time.monotonic() < ends:
        time.sleep(0.01)
    queue.put(content(mirror.view, plane))
    runtime.call(mirror.close(), 5)


def test_a_forked_child_goes_on_by_itself_and_so_does_the_parent(plane: FakeControlPlane) -> None:
    mirror = make(plane)
    runtime.call(mirror.open(), 5)
    context = multiprocessing.get_context("fork")
    queue, told = context.SimpleQueue(), context.Event()
    child = context.Process(target=_child, args=(mirror, plane, told, queue))
    child.start()
    assert queue.get() == 1
    plane.wait_until(lambda: plane.streams == 2)
    assert plane.opened[-1].instance.process == child.pid
    plane.publish(plane.bundle("config"), {"application": 2})
    told.set()
    assert queue.get() == 2
    child.join(10)
    assert child.exitcode == 0
    plane.wait_until(lambda: plane.streams == 1)
    plane.publish(plane.bundle("config"), {"application": 3})
    plane.wait_until(lambda: content(mirror.view, plane) == 3)
    runtime.call(mirror.close(), 5)


def test_a_copy_on_disk_needs_a_secret(plane: FakeControlPlane, tmp_path: Path) -> None:
    with pytest.raises(errors.MisconfiguredError, match="secret"):
        make(plane, folder=tmp_path, secret="")


def test_nothing_secret_is_shown(plane: FakeControlPlane, tmp_path: Path) -> None:
    mirror = make(plane, folder=tmp_path)
    assert plane.secret not in repr(mirror)
    assert plane.secret not in repr(vars(mirror))


def test_a_program_that_closes_nothing_ends_quickly_and_silently() -> None:
    program = """
        import tempfile
        from pathlib import Path
        from qiantang.kernel import runtime, scope
        from qiantang.kernel.mirror import Mirror
        from qiantang.kernel.testing import FakeControlPlane

        with FakeControlPlane() as plane:
            plane.publish(plane.bundle("config"), {"application": 1})
            folder = Path(tempfile.mkdtemp())
            instance = scope.Instance(name="one")
            mirror = Mirror(plane.uplink(), plane.scope, instance, ["config"], folder=folder, secret=plane.secret)
            assert runtime.call(mirror.open(), 10).source == "center"
            print("opened")
            plane.wait_until(lambda: plane.acknowledged)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "opened\n"), done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_the_mirror_imports_only_what_it_needs() -> None:
    program = """
        import sys
        import qiantang.kernel.mirror
        print(*sorted({name.partition(".")[0] for name in sys.modules if not name.startswith("_")}))
    """
    printed = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    allowed = {*sys.stdlib_module_names, "h11", "msgspec", "cryptography", "qiantang", "typing_extensions"}
    assert set(printed) <= allowed
