"""Broken loops of several chapters: coroutine methods that begin when they are called, or return a future."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class Begins(Stock):
    """Can make a task of a method's coroutine when it is called, and return a coroutine that waits for the task."""

    def begin(self, coro: Coroutine[Any, Any, Any]) -> Any:
        task = self.create_task(coro)

        async def wait() -> Any:
            return await task

        return wait()


@breaks("sockets.coroutines")
class ReceivesWhenItIsCalled(Begins):
    """sock_recv() receives though nobody awaits it."""

    def sock_recv(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().sock_recv(*args, **kwargs))


@breaks("sockets.coroutines")
class SendsWhenItIsCalled(Begins):
    """sock_sendall() sends though nobody awaits it."""

    def sock_sendall(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().sock_sendall(*args, **kwargs))


@breaks("sockets.coroutines")
class ConnectsWhenItIsCalled(Begins):
    """sock_connect() connects though nobody awaits it."""

    def sock_connect(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().sock_connect(*args, **kwargs))


@breaks("sockets.coroutines")
class AcceptsWhenItIsCalled(Begins):
    """sock_accept() accepts a connection though nobody awaits it."""

    def sock_accept(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().sock_accept(*args, **kwargs))


@breaks("dns.coroutines")
class AsksWhenItIsCalled(Begins):
    """getaddrinfo() asks the resolver though nobody awaits it."""

    def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().getaddrinfo(*args, **kwargs))


@breaks("tcp.coroutines")
class DialsWhenItIsCalled(Begins):
    """create_connection() connects though nobody awaits it."""

    def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().create_connection(*args, **kwargs))


@breaks("tcp.coroutines")
class WrapsInAFuture(Stock):
    """connect_accepted_socket() returns a future."""

    def connect_accepted_socket(self, *args: Any, **kwargs: Any) -> Any:
        return asyncio.ensure_future(super().connect_accepted_socket(*args, **kwargs), loop=self)


@breaks("servers.coroutines")
class ServesWhenItIsCalled(Begins):
    """create_server() listens though nobody awaits it."""

    def create_server(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().create_server(*args, **kwargs))


@breaks("unix.coroutines")
class DialsPathsWhenItIsCalled(Begins):
    """create_unix_connection() connects though nobody awaits it."""

    def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().create_unix_connection(*args, **kwargs))


@breaks("udp.coroutines")
class BindsWhenItIsCalled(Begins):
    """create_datagram_endpoint() binds though nobody awaits it."""

    def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().create_datagram_endpoint(*args, **kwargs))


@breaks("sendfile.coroutines")
class SendsFilesWhenItIsCalled(Begins):
    """sock_sendfile() sends though nobody awaits it."""

    def sock_sendfile(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().sock_sendfile(*args, **kwargs))


@breaks("tls.start-coroutine")
class UpgradesWhenItIsCalled(Begins):
    """start_tls() begins a handshake though nobody awaits it."""

    def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().start_tls(*args, **kwargs))


@breaks("pipes.coroutines")
class ReadsPipesWhenItIsCalled(Begins):
    """connect_read_pipe() makes a transport though nobody awaits it."""

    def connect_read_pipe(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().connect_read_pipe(*args, **kwargs))


@breaks("pipes.coroutines")
class WrapsPipesInAFuture(Stock):
    """connect_write_pipe() returns a future."""

    def connect_write_pipe(self, *args: Any, **kwargs: Any) -> Any:
        return asyncio.ensure_future(super().connect_write_pipe(*args, **kwargs), loop=self)


@breaks("subprocess.coroutines")
class StartsChildrenWhenItIsCalled(Begins):
    """subprocess_exec() starts a child though nobody awaits it."""

    def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        return self.begin(super().subprocess_exec(*args, **kwargs))


@breaks("subprocess.coroutines")
class WrapsShellsInAFuture(Stock):
    """subprocess_shell() returns a future."""

    def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        return asyncio.ensure_future(super().subprocess_shell(*args, **kwargs), loop=self)
