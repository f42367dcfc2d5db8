"""Broken loops of the chapter `ecosystem`: what anyio and aiosqlite trip over."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from typing import Any

from reference_loop import EventLoop
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


@breaks("ecosystem.anyio-run")
class FailsToShutDownGenerators(asyncio.SelectorEventLoop):
    """shutdown_asyncgens() raises an exception."""

    async def shutdown_asyncgens(self) -> None:
        raise RuntimeError("there was no asynchronous generator")


@breaks("ecosystem.anyio-to-thread")
class ThreadsDoNotWake(EventLoop):
    """call_soon_threadsafe() does not wake a loop that waits."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_soon(callback, *args, context=context)


@breaks("ecosystem.anyio-thread-context")
class ThreadsLoseTheContext(asyncio.SelectorEventLoop):
    """call_soon_threadsafe() runs callbacks in an empty context."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_soon_threadsafe(callback, *args, context=contextvars.Context())


@breaks("ecosystem.anyio-task-group")
class CallbacksOfCallbacksAreLost(asyncio.SelectorEventLoop):
    """call_soon() from a callback of the same function is taken for the call that runs, and forgotten."""

    running: Any = None

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if getattr(callback, "__self__", None) is None or not hasattr(callback, "__func__"):
            return super().call_soon(callback, *args, context=context)
        if callback == self.running:
            return super().call_soon(lambda: None)

        def run() -> None:
            self.running, before = callback, self.running
            try:
                callback(*args)
            finally:
                self.running = before

        return super().call_soon(run, context=context)


@breaks("ecosystem.anyio-process")
class ChildrenStartHere(asyncio.SelectorEventLoop):
    """subprocess_exec() forgets `cwd`."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().subprocess_exec(protocol_factory, *args, **kwargs | {"cwd": None})


@breaks("ecosystem.anyio-signals")
class HandlesASignalOnce(asyncio.SelectorEventLoop):
    """A signal's handler is called for the first signal only."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        calls: list[None] = []

        def once() -> None:
            if not calls:
                calls.append(None)
                callback(*args)

        super().add_signal_handler(sig, once)


@breaks("ecosystem.anyio-half-close")
class ClosesAtTheEnd(OverStreams):
    """The end of the stream closes the transport, whatever eof_received() returns."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            super()._receive_eof()
            self.close()


@breaks("ecosystem.anyio-wait-readable")
class ReadersAreCalledAtOnce(asyncio.SelectorEventLoop):
    """add_reader() calls back at once, whether there is something to read or not."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        self.call_soon(callback, *args)


@breaks("ecosystem.anyio-portal", "ecosystem.uvicorn-in-thread")
class PortalsNeedTheMainThread(asyncio.SelectorEventLoop):
    """run_forever() takes the wake-up descriptor of signals, which only the main thread may."""

    def run_forever(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            signal.set_wakeup_fd(-1)
        super().run_forever()


@breaks("ecosystem.aiosqlite-queries")
class OneCallPerWakeUp(asyncio.SelectorEventLoop):
    """Of the calls that other threads make before the loop wakes, all but the last are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.slot: Any = None
        self.lock = threading.Lock()

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        with self.lock:
            self.slot = (callback, args)
        return super().call_soon_threadsafe(self.take, context=context)

    def take(self) -> None:
        with self.lock:
            slot, self.slot = self.slot, None
        if slot is not None:
            slot[0](*slot[1])
