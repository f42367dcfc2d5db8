"""Broken loops of the chapter `tls`: what TLS connections do otherwise than those without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reference_loop.buffers import Data
from reference_loop.tls import SSLTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverTls


@breaks("tls.pause-and-resume-inside")
class PausesToTheEndOfTheCallback(OverTls):
    """resume_reading() of a TLS transport is forgotten in the callback that has paused it."""

    class Tls(SSLTransport):
        fresh = False

        def pause_reading(self) -> None:
            self.fresh = True
            self._loop.call_soon(setattr, self, "fresh", False)
            super().pause_reading()

        def resume_reading(self) -> None:
            if not self.fresh:
                super().resume_reading()


@breaks("tls.write-while-closing-is-quiet")
class TlsThatClosesCannotWrite(OverTls):
    """write() of a TLS transport raises after close(), while data is flushed."""

    class Tls(SSLTransport):
        def write(self, data: Data) -> None:
            if self._closing and self._backlog:
                raise RuntimeError("the transport is closing")
            super().write(data)


@breaks("tls.writelines-many-pieces")
class EncryptsAThousandPieces(OverTls):
    """writelines() of a TLS transport takes 1024 pieces."""

    class Tls(SSLTransport):
        def writelines(self, list_of_data: Iterable[Data]) -> None:
            super().writelines(list(list_of_data)[:1024])


@breaks("tls.end-inside-eof-received")
class EndsBehindTheProtocolsBack(OverTls):
    """A TLS transport that was aborted inside eof_received() is lost with an error."""

    class Tls(SSLTransport):
        telling = False

        def _receive_eof(self) -> None:
            self.telling = True
            super()._receive_eof()
            self.telling = False

        def abort(self) -> None:
            self._force_close(ConnectionAbortedError() if self.telling else None)


@breaks("tls.stop-inside")
class DropsRecordsWhenStopped(OverTls):
    """What was received over TLS is dropped if the loop was stopped in the same turn."""

    stopped = False

    def stop(self) -> None:
        self.stopped = True
        super().stop()
        self.call_soon(setattr, self, "stopped", False)

    class Tls(SSLTransport):
        def _read(self) -> None:
            loop: Any = self._loop
            if loop.stopped:
                self._engine.decrypt()
            else:
                super()._read()
