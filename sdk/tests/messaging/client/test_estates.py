"""An estate in a file: what it may hold, and that what it may not is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.kernel import errors
from qiantang.messaging import MessageBus
from qiantang.messaging.client import estates
from qiantang.messaging.testing import PLACE

GOOD = """
[[clusters]]
name = "main"
adapter = "memory"
resources = [{ name = "one", url = "memory://shop" }]

[[topics]]
name = "order.created"
clusters = ["main"]
packing = { codec = "msgpack", compression = "zstd" }

[[subscriptions]]
group = "billing"
topic = "order.created"
order = "key"
retry = { attempts = 5, first = 0.5 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "messaging.toml"
    made.write_text(GOOD)
    return made


async def test_the_example_of_the_documents_works(file: Path) -> None:
    estate = estates.read(file)
    assert estate.topics[0].packing.codec == "msgpack"
    assert estate.subscriptions[0].retry.attempts == 5
    async with MessageBus.from_file(file, PLACE) as bus:
        assert (await bus.send("order.created", {"n": 1})).ok


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("codec", "codecs"), r"unknown field `codecs` - at `\$.topics\[0\].packing`"),
        (('"key"', '"tag"'), r"Invalid enum value 'tag' - at `\$.subscriptions\[0\].order`"),
        (("attempts = 5", "attempts = 0"), r"`\$.subscriptions\[0\].retry.attempts`"),
        (('name = "order.created"', 'name = "Order Created"'), r"`\$.topics\[0\].name`"),
        (("[[topics]]", "[[topics"), "no TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(file: Path, change: tuple[str, str], words: str) -> None:
    file.write_text(GOOD.replace(*change, 1))
    with pytest.raises(errors.MisconfiguredError, match=words):
        estates.read(file)


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(errors.MisconfiguredError, match="No such file"):
        estates.read(tmp_path / "nowhere.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (estates.MAX_FILE_BYTES + 1))
    with pytest.raises(errors.MisconfiguredError, match="larger than"):
        estates.read(tmp_path / "large.toml")
