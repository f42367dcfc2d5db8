"""Broken loops of the chapter `streams`: what writers and stream servers find in their transports."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.streams import SERVERS, TampersWithStreams
from tests.broken_loops.subprocess_transport import end_of, lost_once, replaced

Stock = asyncio.SelectorEventLoop


@breaks("streams.write")
class ForgetsWhatFollows(TampersWithStreams):
    """A small write behind a large one is dropped."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(
            transport,
            "write",
            lambda write, data: None if len(data) == 3 and transport.get_write_buffer_size() else write(data),
        )


@breaks("streams.writelines")
class WritesListsOnly(TampersWithStreams):
    """writelines() does not take a generator."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "writelines", lambda write, pieces: write([pieces[i] for i in range(len(pieces))]))


@breaks("streams.drain-waits")
class WritersAreNotPaused(TampersWithStreams):
    """pause_writing() is not called."""

    def tamper(self, protocol: Any) -> None:
        protocol.pause_writing = protocol.resume_writing = lambda: None


@breaks("streams.drain-at-once")
class EveryWritePauses(TampersWithStreams):
    """A small write pauses the protocol for a turn."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: bytes) -> None:
            write(data)
            if bytes(data) == b"small":
                protocol.pause_writing()
                self.call_soon(protocol.resume_writing)

        replaced(transport, "write", write)


@breaks("streams.drain-several")
class ResumesAndPausesAgain(TampersWithStreams):
    """Of several that wait in drain(), the last is not told."""

    def tamper(self, protocol: Any) -> None:
        def resume(method: Any) -> None:
            waiters = protocol._drain_waiters
            if len(waiters) > 2:
                waiters.pop()
            method()

        replaced(protocol, "resume_writing", resume)


@breaks("streams.drain-after-reset")
class AResetResumes(TampersWithStreams):
    """A lost connection resumes writing, and is a regular end."""

    def tamper(self, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            if protocol._paused:
                protocol.resume_writing()
            told(exc)

        replaced(protocol, "connection_lost", lost)


@breaks("streams.close")
class CloseAborts(TampersWithStreams):
    """close() drops what was written, once megabytes wait."""

    def patch(self, transport: Any, protocol: Any) -> None:
        close = transport.close

        def closing() -> None:
            if transport.get_write_buffer_size():
                transport.abort()
            else:
                close()

        transport.close = closing


@breaks("streams.wait-closed-waits")
class LostBeforeTheFlush(TampersWithStreams):
    """connection_lost() is called by close(), while data waits to be sent."""

    def patch(self, transport: Any, protocol: Any) -> None:
        lost = lost_once(protocol)

        def close(close: Any) -> None:
            close()
            if transport.get_write_buffer_size():
                self.call_soon(lost, None)

        replaced(transport, "close", close)


@breaks("streams.is-closing")
class IsClosingWhenItIsLost(TampersWithStreams):
    """is_closing() is true after connection_lost() only."""

    def patch(self, transport: Any, protocol: Any) -> None:
        over = end_of(protocol)
        transport.is_closing = lambda: bool(over)


@breaks("streams.write-eof")
class WriteEofCloses(TampersWithStreams):
    """write_eof() ends reading too."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def end(end: Any) -> None:
            end()
            replaced(protocol, "data_received", lambda told, data: None)

        replaced(transport, "write_eof", end)


@breaks("streams.can-write-eof")
class TcpCannotWriteEof(TampersWithStreams):
    """can_write_eof() is false."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.can_write_eof = lambda: False


@breaks("streams.half-open")
class TheEndCloses(TampersWithStreams):
    """The peer's end closes the transport, whatever eof_received() returns."""

    def tamper(self, protocol: Any) -> None:
        def ended(told: Any) -> bool:
            told()
            return False

        replaced(protocol, "eof_received", ended)


@breaks("streams.transport")
class KnowsNoDefault(TampersWithStreams):
    """get_extra_info() of an unknown name is None."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_extra_info", lambda info, name, default=None: info(name))


@breaks("streams.server")
class AcceptsWithoutReading(TampersWithStreams):
    """The first line that a server's stream receives is lost."""

    of = SERVERS

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(b"\n"))


@breaks("streams.server-error")
class HandlersRunUnseen(TampersWithStreams):
    """The exceptions of a handler's task are not looked at, nor reported."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "client_connected_cb" not in context["message"]:
            super().call_exception_handler(context)
