"""Folders: one owner at a time, whatever dies when; what a dead one left is adopted, what is drained is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from qiantang.kernel import errors
from qiantang.messaging.client.spool import Spool, adopt, claim, folders
from qiantang.messaging.model import Frame


def leave(base: Path, member: str, link: str = "main/one", name: str = f"{1:012d}.spool") -> None:
    """Have a folder that its owner left with something in it."""
    folder = claim(base, member)
    folder.spool(link).mkdir()
    (folder.spool(link) / name).write_bytes(b"QTSPOOL\x01")
    folder.close()


def test_a_folder_has_one_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "CLAIM_SECONDS", 0.1)
    folder = claim(tmp_path / "base", "order/1")
    assert folder.path == tmp_path / "base/order%2F1"
    assert folder.is_held
    with pytest.raises(errors.MisconfiguredError, match="belongs to another process"):
        claim(tmp_path / "base", "order/1")
    assert adopt(tmp_path / "base") == []
    folder.close()
    folder.close()
    assert not folder.is_held
    claim(tmp_path / "base", "order/1").close()


def test_it_has_a_spool_for_each_link(tmp_path: Path) -> None:
    folder = claim(tmp_path, "me")
    assert folder.links() == []
    for link in ("main/one", "main/two", "a%2Fb/c"):
        folder.spool(link).mkdir()
    assert folder.links() == ["a%2Fb/c", "main/one", "main/two"]
    folder.close()


def test_what_a_dead_owner_left_is_adopted_once(tmp_path: Path) -> None:
    leave(tmp_path, "first")
    os.utime(tmp_path / "first", (1000, 1000))
    leave(tmp_path, "second")
    leave(tmp_path, "third")
    os.utime(tmp_path / "third", (2000, 2000))
    own = claim(tmp_path, "own")
    adopted = adopt(tmp_path, limit=2)
    assert [one.path.name for one in adopted] == ["first", "third"]
    more = adopt(tmp_path)
    assert [one.path.name for one in more] == ["second"]
    assert adopt(tmp_path) == []
    for one in (own, *adopted, *more):
        one.close()


def test_a_folder_with_nothing_in_it_is_removed(tmp_path: Path) -> None:
    claim(tmp_path, "empty").close()
    leave(tmp_path, "drained", name="cursor")
    leave(tmp_path, "damaged", name=f"{1:012d}.damaged")
    assert adopt(tmp_path) == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["damaged"]
    assert adopt(tmp_path) == []


def test_who_has_a_folder_can_remove_it_but_not_what_waits_in_it(tmp_path: Path) -> None:
    folder = claim(tmp_path, "me")
    assert folder.remove()
    assert not (tmp_path / "me").exists()
    leave(tmp_path, "me")
    (folder,) = adopt(tmp_path)
    assert not folder.remove()
    assert not folder.is_held
    (folder,) = adopt(tmp_path)
    (folder.spool("main/one") / f"{1:012d}.spool").unlink()
    assert folder.remove()


def test_a_base_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "deeper").mkdir(parents=True)
    (tmp_path / "theirs" / "deeper" / "file").write_text("mine")
    (tmp_path / "file").write_text("mine")
    assert adopt(tmp_path) == []
    assert adopt(tmp_path / "nowhere") == []
    assert (tmp_path / "theirs/deeper/file").exists()
    assert [one.name for one in (tmp_path / "theirs").iterdir()] == ["deeper"]


def test_a_base_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.MisconfiguredError, match="cannot be used"):
        claim(tmp_path / "file", "me")


@pytest.mark.parametrize("again", [False, True])
def test_a_lock_on_a_file_that_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    """Its owner removed it between our opening and our locking; perhaps somebody has made it anew."""
    leave(tmp_path, "me")
    flock = folders.fcntl.flock
    others: list[folders.Folder] = []

    def late(lock: int, how: int) -> None:
        monkeypatch.setattr(folders.fcntl, "flock", flock)
        (tmp_path / "me/lock").unlink()
        if again:
            others.append(claim(tmp_path, "me"))
        flock(lock, how)

    monkeypatch.setattr(folders.fcntl, "flock", late)
    assert adopt(tmp_path) == []
    if not again:
        others.append(claim(tmp_path, "me"))
    assert [one.is_held for one in others] == [True]
    others[0].close()


class Owners:
    """Who owns what, as threads see it. They stand for processes: a lock by flock belongs to who opened the file."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.owned: set[str] = set()
        self.twice: list[str] = []
        self.adopted = 0
        self.guard = threading.Lock()

    def hold(self, folder: folders.Folder) -> None:
        with self.guard:
            if folder.path.name in self.owned:
                self.twice.append(folder.path.name)
            self.owned.add(folder.path.name)

    def release(self, folder: folders.Folder) -> None:
        with self.guard:
            self.owned.discard(folder.path.name)
        folder.remove()

    def live(self, who: int) -> None:
        for number in range(40):
            own = claim(self.base, f"m{number % 3}-{who}")
            self.hold(own)
            for other in adopt(self.base):
                self.hold(other)
                self.adopted += 1
                (other.spool("l") / f"{1:012d}.spool").unlink()
                self.release(other)
            own.spool("l").mkdir(exist_ok=True)
            (own.spool("l") / f"{1:012d}.spool").touch()
            self.release(own)


def test_claims_and_adoptions_at_the_same_time_never_own_one_twice(tmp_path: Path) -> None:
    owners = Owners(tmp_path)
    threads = [threading.Thread(target=owners.live, args=(who,)) for who in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert owners.twice == []
    assert owners.adopted > 20
    for one in adopt(tmp_path):
        one.close()


# -- processes ---------------------------------------------------------------------------------------------------

OWNER = """
    import sys, time
    from pathlib import Path
    from qiantang.messaging.client.spool import claim
    folder = claim(Path(sys.argv[1]), sys.argv[2])
    folder.spool("main/one").mkdir()
    (folder.spool("main/one") / "000000000001.spool").write_bytes(b"QTSPOOL\\x01")
    print("owned", flush=True)
    time.sleep(60)
"""


@pytest.mark.process
def test_a_folder_is_owned_until_its_process_is_killed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path), "child"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "owned\n"
            assert adopt(tmp_path) == []
        finally:
            child.kill()
    (folder,) = adopt(tmp_path)
    assert folder.links() == ["main/one"]
    folder.close()


ADOPTER = """
    import sys, time
    from pathlib import Path
    from qiantang.messaging.client.spool import adopt
    adopted = []
    sys.stdin.readline()
    for _ in range(200):
        adopted += adopt(Path(sys.argv[1]), limit=3)
    print(*[one.path.name for one in adopted], flush=True)
    sys.stdin.readline()
"""


@pytest.mark.process
def test_processes_that_adopt_at_the_same_time_share_the_orphans(tmp_path: Path) -> None:
    for number in range(30):
        leave(tmp_path, f"orphan-{number}")
    program = [sys.executable, "-c", textwrap.dedent(ADOPTER), str(tmp_path)]
    children = [subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        said = [child.stdout.readline().split() for child in children if child.stdout is not None]
    finally:
        for child in children:
            child.communicate("end\n", timeout=30)
    assert sorted(name for names in said for name in names) == sorted(f"orphan-{number}" for number in range(30))


@pytest.mark.process
def test_a_fork_s_child_neither_owns_the_folder_nor_gives_it_up(tmp_path: Path) -> None:
    folder = claim(tmp_path, "parent")
    child = os.fork()
    if not child:
        os._exit(0 if not folder.is_held and adopt(tmp_path) == [] else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert folder.is_held
    assert adopt(tmp_path) == []
    folder.close()


async def test_an_orphan_is_drained_and_removed(tmp_path: Path) -> None:
    dead = claim(tmp_path, "dead")
    spool = Spool(dead.spool("main/one"), "main/one")
    await spool.open()
    await spool.append([Frame(topic="t", id=f"{number}", body=b"", key="k") for number in range(20)])
    await spool.take(20, 1 << 20)
    await spool.done(5)
    await spool.close()
    dead.close()

    (folder,) = adopt(tmp_path)
    found: list[str] = []
    for link in folder.links():
        orphan = Spool(folder.spool(link), link)
        await orphan.open()
        while some := await orphan.take(4, 1 << 20):
            found += [one.frame.id for one in some]
            await orphan.done(len(some))
        await orphan.close()
    assert found == [f"{number}" for number in range(5, 20)]
    assert folder.remove()
    assert not folder.path.exists()
