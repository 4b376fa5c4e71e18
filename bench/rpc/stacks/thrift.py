"""thriftpy2: its compiled codec, a threaded server, and a connection for each caller, since its client has one call at a time."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from typing import Any

import thriftpy2
from thriftpy2.protocol import TCyBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TProcessor
from thriftpy2.transport import TCyBufferedTransportFactory, TServerSocket

from bench.rpc.stacks.load import ORDER, Found, threaded

_DEFINITION = """
struct Order {
  1: string number, 2: string customer, 3: list<string> articles, 4: double amount, 5: bool paid, 6: string note, 7: i64 at
}
service Orders { Order echo(1: Order order) }
"""
_module: Any = thriftpy2.load_fp(io.StringIO(_DEFINITION), "bench_thrift")


class _Echo:
    def echo(self, order: Any) -> Any:
        return order


def serve(ready: Callable[[str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    transport = TServerSocket("127.0.0.1", port)
    processor = TProcessor(_module.Orders, _Echo())
    server = TThreadedServer(processor, transport, TCyBufferedTransportFactory(), TCyBinaryProtocolFactory())
    transport.listen()
    ready(f"{port}")
    server.serve()


def measure(address: str, concurrency: int, seconds: float) -> Found:
    def make() -> Callable[[], object]:
        client: Any = make_client(
            _module.Orders,
            "127.0.0.1",
            int(address),
            proto_factory=TCyBinaryProtocolFactory(),
            trans_factory=TCyBufferedTransportFactory(),
            timeout=10_000,
        )
        return lambda: client.echo(
            _module.Order(
                number=ORDER.number,
                customer=ORDER.customer,
                articles=ORDER.articles,
                amount=ORDER.amount,
                paid=ORDER.paid,
                note=ORDER.note,
                at=ORDER.at,
            )
        )

    return threaded(make, concurrency, seconds)
