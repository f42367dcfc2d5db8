"""Broken loops that tell a protocol of an end on the stack of the call that finds it, while a callback is running."""

from __future__ import annotations

import array
import fcntl
import select
import socket
import termios
from typing import Any

from reference_loop.serving import Server
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.pipes import TampersWithPipes
from tests.broken_loops.servers_clients import OverServers
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced
from tests.broken_loops.tls_connections import TampersWithTls


@breaks("tcp.lost-not-inside-write")
class LosesInsideWrite(OverStreams):
    """A write() that finds the peer gone calls connection_lost() by itself."""

    class Stream(StreamTransport):
        writing = False

        def write(self, data: Any) -> None:
            self.writing = True
            super().write(data)
            self.writing = False

        def _lose(self, exc: BaseException | None) -> None:
            if exc is None or not self.writing:
                super()._lose(exc)
            else:
                self._lost = self._barred = True
                self._call_connection_lost(exc)


@breaks("flow.resume-tells-no-end")
class EndsAsItResumes(OverStreams):
    """resume_reading() tells of an end that came meanwhile, if no data came before it."""

    class Stream(StreamTransport):
        def resume_reading(self) -> None:
            paused = self._paused and not self._closing
            super().resume_reading()
            if paused and self._reading and self._has_ended():
                self._read_ready()

        def _has_ended(self) -> bool:
            try:
                return not self._sock.recv(1, socket.MSG_PEEK)  # type: ignore[union-attr]
            except BlockingIOError:
                return False
            except OSError:
                return True


def _told_once(protocol: Any, method: str) -> list[None]:
    """The callback is called once, whoever calls it; a list that is empty until then."""
    told: list[None] = []

    def tell(call: Any, *args: Any) -> None:
        if not told:
            told.append(None)
            call(*args)

    replaced(protocol, method, tell)
    return told


@breaks("tls.lost-not-inside-write")
class TlsLosesInsideWrite(TampersWithTls):
    """A write() over TLS that finds the peer gone calls connection_lost() by itself."""

    def patch(self, transport: Any, protocol: Any) -> None:
        told = _told_once(protocol, "connection_lost")

        def written(write: Any, data: Any) -> None:
            write(data)
            if not told and transport._ssl_protocol._transport.is_closing():
                protocol.connection_lost(BrokenPipeError())

        replaced(transport, "write", written)


@breaks("pipes.lost-not-inside-write")
class PipesAreLostInsideWrite(TampersWithPipes):
    """A write() to a pipe that finds the reader gone calls connection_lost() by itself."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        told = _told_once(protocol, "connection_lost")

        def written(write: Any, data: Any) -> None:
            write(data)
            if not told and transport.is_closing():
                protocol.connection_lost(BrokenPipeError())

        replaced(transport, "write", written)


@breaks("pipes.resume-tells-no-end")
class PipesEndAsTheyResume(TampersWithPipes):
    """resume_reading() of a pipe tells of an end that came meanwhile, if no data came before it."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        told = _told_once(protocol, "eof_received")

        def resumed(resume: Any) -> None:
            paused = not transport.is_reading()
            resume()
            pipe, count = transport.get_extra_info("pipe"), array.array("i", [0])
            if paused and transport.is_reading() and select.select([pipe], [], [], 0)[0]:
                fcntl.ioctl(pipe, termios.FIONREAD, count)
                if not count[0] and not told:
                    protocol.eof_received()

        replaced(transport, "resume_reading", resumed)


@breaks("subprocess.loss-told-later")
class InputIsLostInsideWrite(TampersWithChildren):
    """write() of standard input's transport calls pipe_connection_lost() by itself if the child has gone."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(0)
        if pipe is None:
            return
        told: list[None] = []

        def lost(call: Any, fd: int, exc: Any) -> None:
            if fd or not told:
                told.extend([] if fd else [None])
                call(fd, exc)

        def written(write: Any, data: Any) -> None:
            write(data)
            if not told and pipe.is_closing():
                protocol.pipe_connection_lost(0, BrokenPipeError())

        replaced(protocol, "pipe_connection_lost", lost)
        replaced(pipe, "write", written)


@breaks("servers.clients-told-later", since="3.13")
class ClientsAreLostOnTheSpot(OverServers):
    """abort_clients() calls connection_lost() of each connection by itself."""

    class server(Server):
        def abort_clients(self) -> None:
            for transport in list(self._clients):
                transport._lost = transport._closing = True
                transport._stop_reading()
                transport._call_connection_lost(None)
