"""Broken loops of the chapter `subprocess`: signals of all numbers, and what the callbacks of a protocol may do."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced

Stock = asyncio.SelectorEventLoop


class _Codes(TampersWithChildren):
    """Changes the code of a child that a signal has ended."""

    def changed(self, code: int) -> int:
        raise NotImplementedError

    def patch(self, transport: Any, protocol: Any) -> None:
        def code(get: Any) -> int | None:
            found: int | None = get()
            return self.changed(found) if found is not None and found < 0 else found

        replaced(transport, "get_returncode", code)


@breaks("subprocess.signal-numbers")
class CoresAreCounted(_Codes):
    """The code of a child that dumps its core has 128 more."""

    def changed(self, code: int) -> int:
        return code - 128 if code in (-signal.SIGABRT, -signal.SIGSEGV) else code


@breaks("subprocess.signal-numbers")
class CodesHaveFiveBits(_Codes):
    """The number of the signal in a code is that modulo 32."""

    def changed(self, code: int) -> int:
        return -(-code & 31)


@breaks("subprocess.signal-numbers")
class SignalsAreMembersOnly(TampersWithChildren):
    """send_signal() refuses an int that is no signal.Signals."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def send(send: Any, number: int) -> None:
            if not isinstance(number, signal.Signals):
                raise TypeError("a signal is needed")
            send(number)

        replaced(transport, "send_signal", send)


@breaks("subprocess.stopped")
class StoppedIsExited(TampersWithChildren):
    """A child that is stopped by SIGSTOP is taken for one that has exited."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def send(send: Any, number: int) -> None:
            send(number)
            if number == signal.SIGSTOP:
                self.call_soon(protocol.process_exited)

        replaced(transport, "send_signal", send)


@breaks("subprocess.close-without-pipes")
class AsksChildrenWithoutPipes(TampersWithChildren):
    """close() of a child without pipes sends SIGTERM."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if not any(map(transport.get_pipe_transport, (0, 1, 2))):
            replaced(transport, "close", lambda close: transport.terminate() if not protocol.exited else close())


@breaks("subprocess.close-inside")
class ClosingAtTheEndIsTheEnd(TampersWithChildren):
    """After close() in process_exited(), connection_lost() is not called."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = self.closed = False

    # Not in patch(): the end of a child that is quick is noticed before its transport is announced.
    def tamper(self, protocol: Any) -> None:
        def exited(told: Any) -> None:
            self.inside = True
            told()
            self.inside = False

        replaced(protocol, "process_exited", exited)
        replaced(protocol, "connection_lost", lambda told, exc: None if self.closed else told(exc))

    def patch(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            self.closed = self.closed or self.inside
            close()

        replaced(transport, "close", close)


@breaks("subprocess.error-reported")
class ErrorsOfOutputAreDropped(TampersWithChildren):
    """An exception of pipe_data_received() is dropped."""

    def tamper(self, protocol: Any) -> None:
        def received(told: Any, fd: int, data: bytes) -> None:
            with contextlib.suppress(Exception):
                told(fd, data)

        replaced(protocol, "pipe_data_received", received)


@breaks("subprocess.pause-when-made")
class ResumesWhatWasPausedEarly(TampersWithChildren):
    """After connection_made() all pipes are read."""

    def tamper(self, protocol: Any) -> None:
        def made(told: Any, transport: Any) -> None:
            told(transport)
            for pipe in map(transport.get_pipe_transport, (1, 2)):
                if pipe is not None:
                    pipe.resume_reading()

        replaced(protocol, "connection_made", made)


@breaks("subprocess.exited-before-pipes")
class CodesComeWithTheLastPipe(TampersWithChildren):
    """get_returncode() is None while a pipe is open."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_returncode", lambda get: get() if protocol.lost else None)


@breaks("subprocess.pipe-transports")
class PipesVanish(TampersWithChildren):
    """get_pipe_transport() is None once the pipe was lost."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_pipe_transport", lambda get, fd: None if protocol.lost else get(fd))


@breaks("subprocess.extra-info")
class ChildrenHaveNoDefault(TampersWithChildren):
    """get_extra_info() of what is not known is None, whatever the default."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_extra_info", lambda get, name, default=None: get(name))


@breaks("subprocess.wait-cancelled")
class ACancelledWaiterIsTheLast(TampersWithChildren):
    """When a wait() was cancelled, those that wait beside it are cancelled too."""

    def patch(self, transport: Any, protocol: Any) -> None:
        waiters: list[asyncio.Future[int]] = []

        async def wait(wait: Any) -> int:
            task = asyncio.ensure_future(wait())
            waiters.append(task)
            try:
                return await task
            except asyncio.CancelledError:
                for waiter in waiters:
                    waiter.cancel()
                raise

        replaced(transport, "_wait", wait)


@breaks("subprocess.error-reported")
class ErrorsOfTheEndAreDropped(TampersWithChildren):
    """An exception of connection_lost() of a child's protocol is dropped."""

    def tamper(self, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            with contextlib.suppress(Exception):
                told(exc)

        replaced(protocol, "connection_lost", lost)


@breaks("subprocess.error-reported")
class ErrorsOfAPipesEndAreDropped(TampersWithChildren):
    """An exception of pipe_connection_lost() is dropped."""

    def tamper(self, protocol: Any) -> None:
        def lost(told: Any, fd: int, exc: Any) -> None:
            with contextlib.suppress(Exception):
                told(fd, exc)

        replaced(protocol, "pipe_connection_lost", lost)


@breaks("subprocess.returncode")
class CodesOfShellsAreSignals(TampersWithChildren):
    """A code above 128 is taken for 128 + N of a shell whose command a signal has ended."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_returncode", lambda get: 128 - code if 128 < (code := get() or 0) < 160 else get())


@breaks("subprocess.signal-numbers")
class InterruptsAreTerminations(TampersWithChildren):
    """SIGINT is sent as SIGTERM."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def send(send: Any, number: int) -> None:
            send(signal.SIGTERM if number == signal.SIGINT else number)

        replaced(transport, "send_signal", send)


@breaks("subprocess.exited-with-code")
class ClosedChildrenHaveNoCode(TampersWithChildren):
    """After close() get_returncode() is None until connection_lost() was called."""

    def patch(self, transport: Any, protocol: Any) -> None:
        lost: list[bool] = []
        replaced(protocol, "connection_lost", lambda told, exc: (lost.append(True), told(exc)))
        replaced(transport, "get_returncode", lambda get: None if transport.is_closing() and not lost else get())
