"""Applications of asyncio under a load client: what is left of a loop's speed when a framework runs on it.

They need the extra `ecosystem` in the interpreter of each loop, and run only when they are named.
"""

from __future__ import annotations

import asyncio
import importlib
from types import SimpleNamespace
from typing import Any, ClassVar

from bench.servers import Gate
from bench.workloads.tcp import Loaded, only


class _Application(Loaded):
    """The framework accepts the connections, so none is waited for."""

    unit = "request"
    mode: ClassVar[str] = "http"

    async def serve(self, gate: Gate) -> Any:
        server = await self.start()
        gate.reached.set_result(None)
        return server

    async def start(self) -> Any:
        raise NotImplementedError


class Aiohttp(_Application):
    """An aiohttp server answers GET with 1 KiB over ten kept connections."""

    name = "applications.aiohttp"
    drives = "aiohttp.web"
    variants = only(size=1024, connections=10)
    extra = "aiohttp"

    async def start(self) -> Any:
        web: Any = importlib.import_module("aiohttp.web")
        body = b"x" * self.size

        async def answer(request: Any) -> Any:
            return web.Response(body=body)

        application = web.Application()
        application.router.add_get("/", answer)
        self.runner = web.AppRunner(application, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return SimpleNamespace(address=self.runner.addresses[0][:2])

    def address(self) -> Any:
        return self.server.address


class Uvicorn(_Application):
    """uvicorn serves a bare ASGI application: 1 KiB per GET over ten kept connections."""

    name = "applications.uvicorn"
    drives = "uvicorn"
    variants = only(size=1024, connections=10)
    extra = "uvicorn"

    async def start(self) -> Any:
        uvicorn: Any = importlib.import_module("uvicorn")
        body = b"x" * self.size
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        config = uvicorn.Config(
            application, host="127.0.0.1", port=0, log_level="critical", lifespan="off", loop="none", access_log=False
        )
        server = uvicorn.Server(config)
        self.serving = asyncio.get_running_loop().create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.001)
            if self.serving.done():
                self.serving.result()
        return server.servers[0]


class Websockets(_Application):
    """A websockets server echoes messages of 1 KiB over ten connections."""

    name = "applications.websockets"
    drives = "websockets.asyncio"
    unit = "message echoed"
    variants = only(size=1024, connections=10)
    extra = "websockets"
    mode = "websocket"

    async def start(self) -> Any:
        serve: Any = importlib.import_module("websockets.asyncio.server").serve

        async def echo(connection: Any) -> None:
            async for message in connection:
                await connection.send(message)

        return await serve(echo, "127.0.0.1", 0)
