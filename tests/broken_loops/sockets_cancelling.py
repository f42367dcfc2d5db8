"""Broken loops of the chapter `sockets`: calls that were cancelled, and buffers of every kind."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("sockets.receive-cancelled")
class TakesADatagramWhenCancelled(Stock):
    """A cancelled sock_recvfrom_into() takes the next datagram all the same."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        def read() -> None:
            self.remove_reader(sock)
            with contextlib.suppress(BlockingIOError):
                sock.recvfrom_into(buf)

        try:
            return await super().sock_recvfrom_into(sock, buf, nbytes)
        except asyncio.CancelledError:
            self.call_soon(self.add_reader, sock, read)
            raise


@breaks("sockets.recvfrom-into-buffers")
class FillsWhatIsViewed(Stock):
    """A datagram is put at the beginning of what a view is a part of."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        if isinstance(buf, memoryview):
            buf = memoryview(buf.obj)[: len(buf)]
        return await super().sock_recvfrom_into(sock, buf, nbytes)


@breaks("sockets.called-again-when-cancelled")
class CleansUpATurnLater(Stock):
    """The clean-up of a call that receives, and was cancelled, removes whatever reader there is a turn later."""

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        try:
            return await super().sock_recvfrom(sock, bufsize)
        except asyncio.CancelledError:
            self.call_soon(self.remove_reader, sock.fileno())
            raise


@breaks("sockets.connect-cancelled")
class ConnectsAllTheSame(Stock):
    """A cancelled sock_connect() goes on in the background."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        connecting = asyncio.ensure_future(super().sock_connect(sock, address))
        connecting.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(connecting)


class _GoesOn(Stock):
    """Cancels the waiting for a call, not the call."""

    def in_background(self, call: Any) -> Any:
        going_on = asyncio.ensure_future(call)
        going_on.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.__dict__.setdefault("going_on", []).append(going_on)
        return asyncio.shield(going_on)

    def close(self) -> None:
        left = [call for call in self.__dict__.pop("going_on", []) if not call.done()]
        if left and not self.is_closed():
            for call in left:
                call.cancel()
            self.run_until_complete(asyncio.wait(left))
        super().close()


@breaks("sockets.sendall-cancelled")
class SendsOnWhenThereIsRoom(_GoesOn):
    """A cancelled sock_sendall() goes on in the background."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        await self.in_background(super().sock_sendall(sock, data))


@breaks("sockets.sendto-cancelled")
class SendsTheDatagramLater(_GoesOn):
    """A cancelled sock_sendto() goes on in the background."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        return await self.in_background(super().sock_sendto(sock, data, address))


@breaks("sockets.sendall-again-when-cancelled")
class CleansUpTheWriterLater(Stock):
    """The clean-up of a sock_sendall() that was cancelled removes whatever writer there is a turn later."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        try:
            await super().sock_sendall(sock, data)
        except asyncio.CancelledError:
            self.call_soon(self.remove_writer, sock.fileno())
            raise
