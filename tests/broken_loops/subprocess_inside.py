"""Broken loops of the chapter `subprocess`: children to which nothing can be done inside the callbacks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced


class _Inside(TampersWithChildren):
    """Changes the transport, which may look at `inside`: true while `callback` is being called."""

    callback = "pipe_data_received"

    def change(self, transport: Any, inside: list[None]) -> None:
        raise NotImplementedError

    def tamper(self, protocol: Any) -> None:
        inside: list[None] = []

        def told(call: Any, *args: Any) -> None:
            if self.callback == "connection_made":
                self.change(args[0], inside)
            inside.append(None)
            try:
                call(*args)
            finally:
                inside.clear()

        protocol.inside = inside
        replaced(protocol, self.callback, told)

    def patch(self, transport: Any, protocol: Any) -> None:
        if self.callback != "connection_made":
            self.change(transport, protocol.inside)


@breaks("subprocess.signal-inside")
class NoKillsInsideCallbacks(_Inside):
    """kill() inside pipe_data_received() does nothing."""

    def change(self, transport: Any, inside: list[None]) -> None:
        replaced(transport, "kill", lambda kill: None if inside else kill())


@breaks("subprocess.signal-inside")
class NoTerminationWhenMade(_Inside):
    """terminate() inside connection_made() does nothing."""

    callback = "connection_made"

    def change(self, transport: Any, inside: list[None]) -> None:
        replaced(transport, "terminate", lambda terminate: None if inside else terminate())


@breaks("subprocess.write-inside")
class NoAnswersInsideCallbacks(_Inside):
    """What is written to standard input inside pipe_data_received() is dropped."""

    def change(self, transport: Any, inside: list[None]) -> None:
        if stdin := transport.get_pipe_transport(0):
            replaced(stdin, "write", lambda write, data: None if inside else write(data))


@breaks("subprocess.set-protocol-inside")
class KeepsTheProtocolThatItCalls(_Inside):
    """set_protocol() inside pipe_data_received() is forgotten."""

    def change(self, transport: Any, inside: list[None]) -> None:
        replaced(transport, "set_protocol", lambda replace, protocol: None if inside else replace(protocol))


@breaks("subprocess.set-protocol-inside")
class ReplacesTheProtocolLater(_Inside):
    """set_protocol() inside pipe_data_received() takes effect a while later."""

    def change(self, transport: Any, inside: list[None]) -> None:
        loop: asyncio.AbstractEventLoop = self

        def replace(replace: Any, protocol: Any) -> None:
            if inside:
                loop.call_later(0.05, replace, protocol)
            else:
                replace(protocol)

        replaced(transport, "set_protocol", replace)


@breaks("subprocess.stdin-abort")
class ClosingInputsCannotBeAborted(TampersWithChildren):
    """abort() of the transport of standard input does nothing once close() was called."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if stdin := transport.get_pipe_transport(0):
            replaced(stdin, "abort", lambda abort: None if stdin.is_closing() else abort())


@breaks("subprocess.called-by-the-loop")
class FactoriesOfChildrenAreCalledElsewhere(asyncio.SelectorEventLoop):
    """The protocol_factory of subprocess_exec() is called in a thread."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(RuntimeError):
            protocol = await self.run_in_executor(None, protocol_factory)
            return await super().subprocess_exec(lambda: protocol, *args, **kwargs)
        raise LookupError("a factory that needs the running loop")


@breaks("subprocess.kill")
class StoppedChildrenAreNotKilled(TampersWithChildren):
    """kill() does nothing once SIGSTOP was sent."""

    def patch(self, transport: Any, protocol: Any) -> None:
        sent: list[int] = []

        def send(send_signal: Any, number: int) -> None:
            sent.append(number)
            send_signal(number)

        replaced(transport, "send_signal", send)
        replaced(transport, "kill", lambda kill: None if signal.SIGSTOP in sent else kill())


@breaks("subprocess.communicate-until-eof")
class OutputsEndWithTheirChild(TampersWithChildren):
    """The transports of the outputs are closed when the child has exited."""

    def tamper(self, protocol: Any) -> None:
        transports: list[Any] = []
        replaced(protocol, "connection_made", lambda made, transport: [transports.append(transport), made(transport)])

        def exited(told: Any) -> None:
            told()
            for fd in (1, 2):
                if output := transports[0].get_pipe_transport(fd):
                    self.call_later(0.01, output.close)

        replaced(protocol, "process_exited", exited)


@breaks("subprocess.told-later")
class ClosedPipesAreToldOnTheSpot(TampersWithChildren):
    """close() of a pipe's transport calls pipe_connection_lost() by itself."""

    def patch(self, transport: Any, protocol: Any) -> None:
        told: set[int] = set()

        def lost(call: Any, fd: int, exc: Any) -> None:
            if fd not in told:
                told.add(fd)
                call(fd, exc)

        def closed(fd: int, close: Any) -> None:
            close()
            protocol.pipe_connection_lost(fd, None)

        replaced(protocol, "pipe_connection_lost", lost)
        for fd in range(3):
            if pipe := transport.get_pipe_transport(fd):
                replaced(pipe, "close", functools.partial(closed, fd))
