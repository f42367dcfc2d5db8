"""Broken loops of all chapters: parameters that are taken by position only, or are called by another name."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("callbacks.by-name")
class CallbacksByPosition(Stock):
    """call_soon() takes its callback by position only."""

    def call_soon(self, callback: Any, /, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args, context=context)


@breaks("timers.by-name")
class TimersByPosition(Stock):
    """call_later() takes delay and callback by position only."""

    def call_later(self, delay: Any, callback: Any, /, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay, callback, *args, context=context)


@breaks("lifecycle.by-name")
class RunsByPosition(Stock):
    """The parameter of run_until_complete() has another name."""

    def run_until_complete(self, fut: Any) -> Any:
        return super().run_until_complete(fut)


@breaks("debug.by-name")
class DebugByPosition(Stock):
    """set_debug() takes its value by position only."""

    def set_debug(self, value: Any, /) -> None:
        super().set_debug(value)


@breaks("tasks.by-name")
class TasksByPosition(Stock):
    """create_task() takes the coroutine by position only."""

    def create_task(self, coro: Any, /, **kwargs: Any) -> Any:
        return super().create_task(coro, **kwargs)


@breaks("errors.by-name")
class HandlersByPosition(Stock):
    """set_exception_handler() takes the handler by position only."""

    def set_exception_handler(self, handler: Any, /) -> None:
        super().set_exception_handler(handler)


@breaks("executors.by-name")
class ExecutorsByPosition(Stock):
    """run_in_executor() takes executor and function by position only."""

    def run_in_executor(self, executor: Any, func: Any, /, *args: Any) -> Any:
        return super().run_in_executor(executor, func, *args)


@breaks("tcp.connect-by-name")
class ConnectsByPosition(Stock):
    """create_connection() takes host and port by position only."""

    async def create_connection(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, /, **kwargs: Any
    ) -> Any:
        return await super().create_connection(factory, host, port, **kwargs)


@breaks("servers.by-name")
class ServesByPosition(Stock):
    """create_server() calls the host another name."""

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Any, address: Any = None, port: Any = None, **kwargs: Any
    ) -> Any:
        return await super().create_server(protocol_factory, address, port, **kwargs)


@breaks("unix.by-name")
class UnixByPosition(Stock):
    """create_unix_server() takes the path by position only."""

    async def create_unix_server(  # type: ignore[override]
        self, protocol_factory: Any, path: Any = None, /, **kwargs: Any
    ) -> Any:
        return await super().create_unix_server(protocol_factory, path, **kwargs)


@breaks("udp.by-name")
class DatagramsByPosition(Stock):
    """create_datagram_endpoint() takes the factory by position only."""

    async def create_datagram_endpoint(self, factory: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await super().create_datagram_endpoint(factory, *args, **kwargs)


@breaks("tls.start-by-name")
class UpgradesByPosition(Stock):
    """start_tls() takes what it upgrades by position only."""

    async def start_tls(  # type: ignore[override]
        self, transport: Any, protocol: Any, sslcontext: Any, /, **kwargs: Any
    ) -> Any:
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


@breaks("sendfile.by-name")
class FilesByPosition(Stock):
    """sendfile() takes offset and count by position only."""

    async def sendfile(  # type: ignore[override]
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, /, *, fallback: bool = True
    ) -> int:
        return await super().sendfile(transport, file, offset, count, fallback=fallback)


@breaks("sockets.by-name")
class SocketsByPosition(Stock):
    """sock_connect() takes the address by position only."""

    async def sock_connect(self, sock: Any, address: Any, /) -> None:
        await super().sock_connect(sock, address)


@breaks("dns.by-name")
class ResolvesByPosition(Stock):
    """getaddrinfo() takes host and port by position only."""

    async def getaddrinfo(self, host: Any, port: Any, /, **kwargs: Any) -> Any:  # type: ignore[override]
        return await super().getaddrinfo(host, port, **kwargs)


@breaks("watchers.by-name")
class WatchesByPosition(Stock):
    """add_reader() takes the descriptor by position only."""

    def add_reader(self, fd: Any, /, callback: Any, *args: Any) -> Any:  # type: ignore[override]
        return super().add_reader(fd, callback, *args)


@breaks("pipes.by-name")
class PipesByPosition(Stock):
    """connect_read_pipe() takes the pipe by position only."""

    async def connect_read_pipe(self, factory: Any, pipe: Any, /) -> Any:  # type: ignore[override]
        return await super().connect_read_pipe(factory, pipe)


@breaks("subprocess.by-name")
class StartsByPosition(Stock):
    """subprocess_shell() takes the command by position only."""

    async def subprocess_shell(self, factory: Any, cmd: Any, /, **kwargs: Any) -> Any:  # type: ignore[override]
        return await super().subprocess_shell(factory, cmd, **kwargs)


@breaks("signals.by-name")
class SignalsByPosition(Stock):
    """remove_signal_handler() takes the signal by position only."""

    def remove_signal_handler(self, sig: int, /) -> bool:
        return super().remove_signal_handler(sig)


@breaks("signals.by-name")
class HandlersOfSignalsByPosition(Stock):
    """add_signal_handler() takes its callback by position only."""

    def add_signal_handler(self, sig: int, callback: Any, /, *args: Any) -> None:
        super().add_signal_handler(sig, callback, *args)
