"""Broken loops of the chapter `cancellation`: operations that do not end as they should when they are cancelled."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future
from tests.broken_loops.tasks import Stock, Task


def creator() -> Any:
    """The frame of whoever called create_future()."""
    return sys._getframe(2)


class GivenUp(Future):
    """A future that fails in place of being cancelled."""

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        self.set_exception(RuntimeError("given up"))
        return True


@breaks("cancellation.sleep")
class LongSleepsAreCutShort(Stock):
    """A long sleep() that is cancelled returns."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            if self.done():
                return False
            self.set_result(None)
            return True

    def create_future(self) -> Future:
        if (frame := creator()).f_code.co_name == "sleep" and frame.f_locals["delay"] > 1000:
            return self.own(loop=self)
        return super().create_future()


@breaks("cancellation.sock-recv")
class ReceivesGoOn(Stock):
    """A sock_recv() that is cancelled goes on in the background, and takes what comes."""

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        return await asyncio.shield(super().sock_recv(sock, nbytes))


@breaks("cancellation.sock-sendall")
class SendsGoOn(Stock):
    """A sock_sendall() that is cancelled sends the rest before it ends."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        rest = asyncio.ensure_future(super().sock_sendall(sock, data))
        try:
            await asyncio.shield(rest)
        except asyncio.CancelledError:
            rest.cancel()
            raise RuntimeError("the rest was not sent") from None


@breaks("cancellation.sock-accept")
class AcceptsGoOn(Stock):
    """A sock_accept() that is cancelled goes on in the background, and takes the connection that comes."""

    async def sock_accept(self, sock: Any) -> Any:
        return await asyncio.shield(super().sock_accept(sock))


@breaks("cancellation.getaddrinfo")
class LookupsCannotBeCancelled(Stock):
    """A getaddrinfo() that is cancelled is waited for."""

    async def getaddrinfo(self, host: Any, port: Any, **kwargs: Any) -> Any:
        looking = asyncio.ensure_future(super().getaddrinfo(host, port, **kwargs))
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            if host == "localhost":
                return await looking
            raise


@breaks("cancellation.executor")
class CallsCannotBeGivenUp(Stock):
    """A task that waits for a call of run_in_executor() is cancelled when the function returns."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            return False

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        inner = super().run_in_executor(executor, func, *args)
        if getattr(func, "__name__", "") != "work":
            return inner
        outer = self.own(loop=self)
        inner.add_done_callback(lambda inner: None if outer.done() else outer.set_result(inner.result()))
        return outer


@breaks("cancellation.create-connection")
class ConnectionsForNobody(Stock):
    """A create_connection() that is cancelled goes on, and the connection that it makes stays open."""

    kept: list[Any] = []  # noqa: RUF012 (nobody shall collect them)

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl") or kwargs.get("sock"):
            return await super().create_connection(*args, **kwargs)
        connecting = asyncio.ensure_future(super().create_connection(*args, **kwargs))
        self.kept.append(connecting)
        return await asyncio.shield(connecting)


@breaks("cancellation.tls-handshake")
class HandshakesTimeOut(Stock):
    """A create_connection() that is cancelled during the TLS handshake raises TimeoutError."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().create_connection(*args, **kwargs)
        except asyncio.CancelledError:
            if kwargs.get("ssl"):
                raise TimeoutError("the handshake was cancelled") from None
            raise


@breaks("cancellation.stream")
class ReadersFail(Stock):
    """A read of a stream that is cancelled raises RuntimeError, and so do all that follow."""

    def create_future(self) -> Future:
        return GivenUp(loop=self) if creator().f_code.co_name == "_wait_for_data" else super().create_future()


@breaks("cancellation.lock")
class LocksAreLost(Stock):
    """A lock goes to a task that was cancelled while it waited for it, and to nobody after it."""

    def create_future(self) -> Future:
        frame = creator()
        if frame.f_code.co_name == "acquire" and isinstance(frame.f_locals.get("self"), asyncio.Lock):
            return GivenUp(loop=self)
        return super().create_future()


@breaks("cancellation.queue")
class ItemsGoToCancelledTasks(Stock):
    """A task that was cancelled when an item was ready for it takes the item."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            if not self.done() and not coro.cr_frame.f_locals["self"].empty():
                return True
            return super().cancel(msg)

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if getattr(coro, "__qualname__", "") == "Queue.get":
            return self.own(coro, loop=self, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("cancellation.subprocess")
class ChildrenDieWithTheirWaiters(Stock):
    """A child process is killed when a task that waits for it is cancelled."""

    class own(Future):
        transport: Any = None

        def cancel(self, msg: Any = None) -> bool:
            self.transport.kill()
            return super().cancel(msg)

    def create_future(self) -> Future:
        transport = creator().f_locals.get("self")
        if creator().f_code.co_name == "_wait" and isinstance(transport, asyncio.SubprocessTransport):
            future = self.own(loop=self)
            future.transport = transport
            return future
        return super().create_future()
