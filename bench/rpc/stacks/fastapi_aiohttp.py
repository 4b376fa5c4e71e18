"""FastAPI on uvicorn (httptools, uvloop), called by aiohttp: pydantic on one side, JSON read and written on the other."""

from __future__ import annotations

import socket
from collections.abc import Callable

import aiohttp
import msgspec
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from bench.rpc.stacks.load import ORDER, Found, Order, calls

application = FastAPI()


class Body(BaseModel):
    """The order."""

    number: str
    customer: str
    articles: list[str]
    amount: float
    paid: bool
    note: str
    at: int


@application.post("/echo")
async def echo(order: Body) -> Body:
    return order


async def serve(ready: Callable[[str], None]) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    ready(f"{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(application, http="httptools", access_log=False, log_level="error"))
    await server.serve([listener])


async def measure(address: str, concurrency: int, seconds: float) -> Found:
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Order).decode
    headers = {"content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{address}", connector=connector) as session:

        async def call() -> object:
            async with session.post("/echo", data=encode(ORDER), headers=headers) as answer:
                return decode(await answer.read())

        return await calls(call, concurrency, seconds)
