"""Broken loops that only a whole program shows: the documentation's examples of callbacks, sockets and children."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import weakref
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


@breaks("callbacks.example-hello")
class HandsOutProxiesOfItself(Stock):
    """A callback whose argument is the loop gets a weak proxy, lest the loop refer to itself."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        args = tuple(weakref.proxy(self) if arg is self else arg for arg in args)
        return super().call_soon(callback, *args, context=context)


@breaks("timers.example-date")
class TimersAreNotTheirOwnSuccessors(Stock):
    """A timer that is scheduled while one with the same callback and arguments runs is taken for that one."""

    runs: Any = None

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        me = (callback, *args)

        def run() -> None:
            self.runs = me
            try:
                callback(*args)
            finally:
                self.runs = None

        handle = (
            super().call_at(when, run, context=context) if args else super().call_at(when, callback, context=context)
        )
        if args and self.runs == me:
            handle.cancel()
        return handle


@breaks("watchers.example-socket")
class ForgetsStopsWhenNothingIsWatched(Stock):
    """stop() has no effect in the callback that has removed its own watcher."""

    removed = False

    def remove_reader(self, fd: Any) -> bool:
        self.removed = super().remove_reader(fd)
        if self.removed and not self.is_closed():
            self.call_soon(setattr, self, "removed", False)
        return self.removed

    def stop(self) -> None:
        if not self.removed:
            super().stop()


@breaks("signals.example-exit")
class KeepsTheHandlerOfTheRunner(Stock):
    """add_signal_handler() leaves a handler for SIGINT alone that was set in Python."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        before = signal.getsignal(sig)
        super().add_signal_handler(sig, callback, *args)
        if sig == signal.SIGINT and callable(before) and before is not signal.default_int_handler:
            signal.signal(sig, before)


@breaks("executors.example-pools")
class KeepsTheFirstPool(Stock):
    """A pool of threads that run_in_executor() was given is used again for the next that it is given."""

    pool: Any = None

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if type(executor).__name__ == "ThreadPoolExecutor":
            self.pool = executor = self.pool or executor
        return super().run_in_executor(executor, func, *args)


@breaks("executors.example-to-thread")
class SleepsWhileItsThreadsWork(Stock):
    """What asyncio.sleep() waits for does not fire while the default executor is at work."""

    working = 0

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def work() -> Any:
            self.working += executor is None
            try:
                return func(*args)
            finally:
                self.working -= executor is None

        return super().run_in_executor(executor, work)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") != "_set_result_unless_cancelled":
            return super().call_at(when, callback, *args, context=context)

        def fire() -> None:
            if self.working:
                self.call_later(0.001, fire)
            else:
                callback(*args)

        return super().call_at(when, fire, context=context)


@breaks("tcp.example-echo")
class TheLostCannotBeClosed(Stock):
    """close() of a TCP client raises when connection_lost() was called before."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, *args, **kwargs)

        def close(close: Any) -> None:
            sock = transport.get_extra_info("socket")
            if sock is not None and sock.fileno() == -1:
                raise OSError("the transport is closed")
            close()

        replaced(transport, "close", close)
        return transport, protocol


@breaks("tcp.example-socket")
class BlockingPairsAreRefused(Stock):
    """create_connection(sock=…) refuses a Unix socket that blocks."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        sock = kwargs.get("sock")
        if sock is not None and sock.family == socket.AF_UNIX and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("udp.example-echo")
class EndpointsWantTheirBaseClass(Stock):
    """create_datagram_endpoint() refuses a protocol that does not inherit from DatagramProtocol."""

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(protocol_factory, *args, **how)
        if not isinstance(protocol, asyncio.DatagramProtocol):
            transport.abort()
            raise TypeError("a DatagramProtocol is needed")
        return transport, protocol


@breaks("subprocess.example-protocol")
class TheDeadCannotBeClosed(Stock):
    """close() of the transport of a child that has exited raises ProcessLookupError until connection_lost()."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().subprocess_exec(protocol_factory, *args, **kwargs)

        def close(close: Any) -> None:
            close()
            if transport.get_returncode() is not None and kwargs.get("stdin", -1) is None:
                raise ProcessLookupError

        replaced(transport, "close", close)
        return transport, protocol


@breaks("subprocess.example-shell")
class OneCommandAtATime(Stock):
    """A shell command is started when the one before has ended."""

    last: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        async with self.lock:
            while self.last is not None and self.last.get_returncode() is None:
                await asyncio.sleep(0.001)
            self.last, protocol = await super().subprocess_shell(protocol_factory, cmd, **kwargs)
            return self.last, protocol


@breaks("subprocess.example-date")
class WaitsForItsReader(Stock):
    """Process.wait() waits until the output of the child was read to its end."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().subprocess_exec(protocol_factory, *args, **kwargs)

        async def wait(waits: Any) -> Any:
            while (reader := getattr(protocol, "stdout", None)) and not reader.at_eof():
                await asyncio.sleep(0.001)
            return await waits()

        replaced(transport, "_wait", wait)
        return transport, protocol


class _Unwoken(Stock):
    """call_soon_threadsafe() does not wake the loop if `sleeps_through(callback)`."""

    def sleeps_through(self, callback: Any) -> bool:
        raise NotImplementedError

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.sleeps_through(callback):
            return self.call_soon(callback, *args, context=context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.example-submit")
class ItsOwnThreadsDoNotWakeIt(_Unwoken):
    """What the threads of the default executor submit does not wake the loop."""

    def sleeps_through(self, callback: Any) -> bool:
        # Its results must: they are sent by the threads too.
        ours = threading.current_thread().name.startswith("asyncio_")
        return ours and getattr(callback, "__qualname__", "").startswith("run_coroutine_threadsafe")


@breaks("threads.example-too-long")
class CancelsWhenItWakes(_Unwoken):
    """A cancellation that comes from another thread waits until something else wakes the loop."""

    def sleeps_through(self, callback: Any) -> bool:
        return getattr(callback, "__name__", "") == "cancel" and isinstance(callback.__self__, asyncio.Task)


@breaks("threads.example-cancel")
class FuturesAreCancelledWhenItWakes(_Unwoken):
    """A future that is cancelled by call_soon_threadsafe(future.cancel) is cancelled when something else wakes it."""

    def sleeps_through(self, callback: Any) -> bool:
        owner = getattr(callback, "__self__", None)
        return getattr(callback, "__name__", "") == "cancel" and type(owner) is asyncio.Future


@breaks("threads.example-loop-in-thread")
class BelongsToTheMainThread(_Unwoken):
    """While it runs in another thread, calls from the main thread do not wake it, unless they submit a coroutine."""

    def sleeps_through(self, callback: Any) -> bool:
        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self:
                return False
        name = getattr(callback, "__qualname__", "")
        ours = threading.current_thread() is threading.main_thread()
        return ours and self.is_running() and name == "Event.set"
