"""`qiantang service export`: definitions from code to files, without a server."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from qiantang.catalog.model import exchange
from qiantang.rpc.model.definition import definition_of
from sdk.tests.cli.conftest import Run

SHOP = textwrap.dedent(
    '''
    from typing import Any, Protocol

    import msgspec

    from qiantang.rpc.model.definition import method, service


    class Line(msgspec.Struct):
        article: str
        count: int = 1


    @service("shop.Orders", version="1.0.0")
    class Orders(Protocol):
        """Orders of the shop."""

        @method(idempotent=True)
        async def price(self, line: Line) -> float:
            """Give what a line costs.

            In yuan.
            """

        async def drop(self, number: str) -> None: ...


    @service("shop.Loose")
    class Loose(Protocol):
        async def take(self, anything: Any) -> None: ...


    class Plain:
        async def call(self) -> None: ...


    nothing = 5
    '''
)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "export_shop.py").write_text(SHOP)
    (folder / "export_broken.py").write_text("1 / 0")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield folder
    for name in ("export_shop", "export_more"):
        sys.modules.pop(name, None)


def test_a_file_holds_the_definitions_with_what_their_docstrings_say(run: Run, shop: Path) -> None:
    result = run("service", "export", "export_shop:Orders", "export_shop:Loose", "--file", "services.json")
    assert "bytes written to services.json" in result.stderr
    assert result.stdout == ""
    orders, loose = exchange.read((shop / "services.json").read_bytes())
    assert (orders.name, orders.version, orders.description) == ("shop.Orders", "1.0.0", "Orders of the shop.")
    assert [one.description for one in orders.methods] == ["Give what a line costs.\n\nIn yuan.", ""]
    assert orders.digest == definition_of(sys.modules["export_shop"].Orders).digest
    assert loose.description == "", "what Protocol says of itself is not said of a service"
    assert "is there already" in run("service", "export", "export_shop:Loose", "-f", "services.json", code=5).stderr
    run("service", "export", "export_shop:Loose", "-f", "services.json", "--force")
    assert [one.name for one in exchange.read((shop / "services.json").read_bytes())] == ["shop.Loose"]


def test_without_a_file_it_is_written_to_stdout(run: Run, shop: Path) -> None:
    assert [one.name for one in exchange.read(run("service", "export", "export_shop:Orders").stdout.encode())] == [
        "shop.Orders"
    ]
    document = json.loads(run("service", "export", "export_shop:Orders", "export_shop:Loose", "--openapi").stdout)
    assert list(document["paths"]) == ["/shop.Orders/price", "/shop.Orders/drop", "/shop.Loose/take"]
    assert document["paths"]["/shop.Orders/price"]["post"]["summary"].startswith("Give what a line costs.")
    text = run("service", "export", "export_shop:Orders", "--proto").stdout
    assert "rpc price(PriceRequest) returns (PriceResponse);" in text
    assert "message Line {\n  string article = 1;\n  int64 count = 2;\n}" in text


def test_several_proto_files_go_to_a_folder_and_what_has_no_form_is_named(run: Run, shop: Path) -> None:
    (shop / "export_more.py").write_text(SHOP.replace("shop.Orders", "shop.More"))
    both = ("export_shop:Orders", "export_more:Orders", "--proto")
    assert "give a folder" in run("service", "export", *both, code=2).stderr
    refused = run("service", "export", "export_shop:Loose", "--proto", code=1)
    assert "take.arguments.anything is anything: .proto has no form for that" in refused.stderr
    (shop / "protos").mkdir()
    run("service", "export", *both, "--file", "protos")
    assert sorted(one.name for one in (shop / "protos").iterdir()) == ["shop.More.proto", "shop.Orders.proto"]
    assert (shop / "protos" / "shop.Orders.proto").read_text().startswith("// shop.Orders 1.0.0, digest ")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("export_shop:Plain", "Plain is no service: put @service(name) above it"),
        ("export_shop:nothing", "export_shop:nothing is a int, not a class under @service"),
        ("export_shop:Missing", "has no 'Missing'"),
        ("export_nowhere:Orders", "there is no module 'export_nowhere'"),
        ("export_shop", "write MODULE:SERVICE"),
        (":Orders", "has no 'Orders'"),
        ("export_broken:Orders", "the module export_broken cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_service_is_told_by_its_name(run: Run, shop: Path, target: str, words: str) -> None:
    assert words in run("service", "export", target, code=2).stderr.replace("\n", " ")
