"""Bodies: what a short mark must not do."""

from __future__ import annotations

from qiantang.kernel import resource
from qiantang.kernel.secret import FIELD
from qiantang_server.kernel.resources.bodies import Bodies


class Colliding:
    """Gives every value the same mark, as two values in four billion have it by chance."""

    async def ready(self, tenant: str) -> None:
        return

    def seal(self, tenant: str, plaintext: bytes, context: str) -> str:
        return f"{tenant}|{context}|{plaintext.decode()}"

    def open(self, tenant: str, sealed: str, context: str) -> bytes:
        return sealed.removeprefix(f"{tenant}|{context}|").encode()

    def mask(self, tenant: str, value: str) -> str:
        return "00000000"


def test_a_value_whose_mark_another_one_has_is_kept() -> None:
    bodies = Bodies(Colliding(), resource.Bundle.parse("t/dev/c/app:config"))
    before = bodies.seal("namespace", "n", {"a": {FIELD: {"value": "first"}}})
    after = bodies.seal("namespace", "n", {"a": {FIELD: {"value": "second"}}}, before)
    assert bodies.opened("namespace", "n", after)["a"][FIELD]["value"] == "second"
    same = bodies.seal("namespace", "n", {"a": {FIELD: {"value": "first"}}}, before)
    assert same == before
