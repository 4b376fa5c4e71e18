"""Facts of contents that publishing needs: sizes, links, references; remembered by digest, since a content never changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from qiantang.kernel import wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.kinds import Kinds
from qiantang_server.kernel.resources.state import Key, Manifest

MOST = 20_000


class Fact(NamedTuple):
    """Bytes as stored, the (center, application) pairs that the content links to, and the resources that it refers to."""

    size: int
    links: tuple[tuple[str, str], ...]
    refers: tuple[Key, ...]


class Facts:
    """Looks into each content once; the oldest of very many are forgotten."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._known: OrderedDict[tuple[str, str, str], Fact] = OrderedDict()

    async def of(
        self, session: storage.Session, capability: str, key: int, manifest: Manifest, fresh: Mapping[str, bytes]
    ) -> list[tuple[Key, Fact]]:
        """Give each resource of a manifest with its fact; contents neither known nor `fresh` are read."""
        wanted = {(capability, kind, digest) for (kind, _name), digest in manifest.items()}
        unknown = wanted - self._known.keys()
        found = {one: self._known[one] for one in wanted - unknown}
        lacking = {digest for _capability, _kind, digest in unknown} - fresh.keys()
        read = await store.read_contents(session, key, lacking) if lacking else {}
        for one in unknown:
            found[one] = self._known[one] = self._fact(one[1], capability, {**fresh, **read}[one[2]])
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return [(one, found[capability, one[0], digest]) for one, digest in manifest.items()]

    def _fact(self, kind: str, capability: str, body: bytes) -> Fact:
        """Look into a stored body with its secrets sealed: enough for its links and references."""
        declared, read = self._kinds.get(capability, kind), wire.decode(body, dict[str, Any])
        return Fact(len(body), tuple(declared.links(read)), tuple(declared.refers(read)))
