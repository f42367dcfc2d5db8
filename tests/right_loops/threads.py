"""Right loops that get executors' results, names and the ends of children in another way."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from asyncio import unix_events
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.right_loops.registry import right

_A_WHILE = 0.003
_POLL = 0.005


@right
class ExecutorsAnswerLater(EventLoop):
    """The result of run_in_executor() arrives three milliseconds after the function has returned."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        working = super().run_in_executor(executor, func, *args)
        answer = self.create_future()

        def pass_on() -> None:
            if answer.done():
                return
            if working.cancelled():
                answer.cancel()
            elif (error := working.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(working.result())

        working.add_done_callback(lambda _: self.call_later(_A_WHILE, pass_on))
        answer.add_done_callback(lambda _: working.cancel() if answer.cancelled() else None)
        return answer


@right
class LooksNamesUpLate(asyncio.SelectorEventLoop):
    """Each name is looked up in the default executor, and the answer comes late."""

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        return await self._late(socket.getaddrinfo, host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        return await self._late(socket.getnameinfo, sockaddr, flags)

    async def _late(self, function: Callable[..., Any], *args: Any) -> Any:
        def work() -> Any:
            try:
                return function(*args)
            finally:
                time.sleep(_A_WHILE)

        return await self.run_in_executor(None, work)


@right
class PollsForChildren(asyncio.SelectorEventLoop):
    """The end of a child is asked for every five milliseconds."""

    async def _make_subprocess_transport(self, protocol: Any, args: Any, *streams: Any, **kwargs: Any) -> Any:
        waiter = self.create_future()
        transport = unix_events._UnixSubprocessTransport(self, protocol, args, *streams, waiter=waiter, **kwargs)
        self._look_at(transport)
        return await started(transport, waiter)

    def _look_at(self, child: Any) -> None:
        if not _ended(child):
            self.call_later(_POLL, self._look_at, child)


@right
class HearsOfChildrenBySignals(PollsForChildren):
    """In the main thread SIGCHLD tells that a child has ended; who adds a handler for it shares it with the loop."""

    def __init__(self) -> None:
        super().__init__()
        self._running_children: set[Any] = set()
        self._is_shared = False

    def _look_at(self, child: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            super()._look_at(child)
            return
        if signal.SIGCHLD not in self._signal_handlers:
            self._hear()
        self._running_children.add(child)
        self._look_around()  # it may have ended before anybody listened

    def _hear(self) -> None:
        self._is_shared = False
        super().add_signal_handler(signal.SIGCHLD, self._look_around)

    def _look_around(self) -> None:
        self._running_children -= {child for child in self._running_children if _ended(child)}

    def add_signal_handler(self, sig: Any, callback: Any, *args: Any) -> None:
        if sig != signal.SIGCHLD:
            super().add_signal_handler(sig, callback, *args)
            return

        def share() -> None:
            self._look_around()
            callback(*args)

        if asyncio.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        super().add_signal_handler(sig, share)
        self._is_shared = True

    def remove_signal_handler(self, sig: int) -> bool:
        if sig != signal.SIGCHLD or self.is_closed():
            return super().remove_signal_handler(sig)
        was_shared = self._is_shared
        self._is_shared = False
        if self._running_children:
            self._hear()
        elif was_shared:
            super().remove_signal_handler(sig)
        return was_shared


def _ended(child: Any) -> bool:
    """Tell a child's transport if the child has ended."""
    try:
        pid, status = os.waitpid(child.get_pid(), os.WNOHANG)
    except ChildProcessError:
        pid, status = 1, 255 << 8
    if pid:
        child._process_exited(os.waitstatus_to_exitcode(status))
    return bool(pid)


async def started(child: Any, waiter: asyncio.Future[Any]) -> Any:
    """The transport of a child, when its pipes are connected; closed if they cannot be."""
    try:
        await waiter
    except BaseException:
        child.close()
        await child._wait()
        raise
    return child
