"""Broken loops of the chapter `tls`: what TLS connections do that have ended, or that end otherwise than agreed."""

from __future__ import annotations

import ssl
from typing import Any

from reference_loop.tls import SSLTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverTls


@breaks("tls.pause-reading-when-ended")
class TwiceClosedCannotBePaused(OverTls):
    """pause_reading() raises on a TLS transport that was closed twice."""

    class Tls(SSLTransport):
        closes = 0

        def close(self) -> None:
            self.closes += 1
            super().close()

        def pause_reading(self) -> None:
            if self.closes > 1:
                raise AttributeError("None has no pause_reading()")
            super().pause_reading()


@breaks("tls.pause-reading-when-ended")
class AbortedCannotBeResumed(OverTls):
    """resume_reading() raises on a TLS transport that was aborted."""

    class Tls(SSLTransport):
        aborted = False

        def abort(self) -> None:
            self.aborted = True
            super().abort()

        def resume_reading(self) -> None:
            if self.aborted:
                raise RuntimeError("aborted")
            super().resume_reading()


@breaks("tls.reset-handshake-is-quiet")
class ReportsClientsThatGo(OverTls):
    """A handshake that a client's leaving ends is reported to the exception handler."""

    class Tls(SSLTransport):
        def connection_lost(self, exc: BaseException | None) -> None:
            if not self._introduced and not isinstance(exc, ssl.SSLError):
                self._report(exc or ConnectionResetError("gone"), "Error completing a TLS handshake")
            super().connection_lost(exc)


@breaks("tls.write-error-is-reported")
class PausedIsNotLost(OverTls):
    """A TLS connection that fails while reading is paused is not lost before reading is resumed."""

    class Tls(SSLTransport):
        def connection_lost(self, exc: BaseException | None) -> None:
            if exc is None or self.is_reading():
                super().connection_lost(exc)


@breaks("tls.write-error-is-reported")
class FailedWritesAreClosures(OverTls):
    """A TLS connection that a write has lost tells of a regular end."""

    class Tls(SSLTransport):
        def connection_lost(self, exc: BaseException | None) -> None:
            super().connection_lost(None if isinstance(exc, BrokenPipeError | ConnectionResetError) else exc)


@breaks("tls.close-when-full")
class FullConnectionsStayFull(OverTls):
    """close() of a TLS connection that has stopped its peer reads nothing any more, and so finds no goodbye."""

    class Tls(SSLTransport):
        def close(self) -> None:
            full = not self._lower.is_reading()
            super().close()
            if full and not self._lower.is_closing():
                self._lower.pause_reading()


class _TellsAgain(SSLTransport):
    """Ends once more when it has ended."""

    ended: Any = None

    def _release(self) -> None:
        self.ended = self._protocol
        super()._release()

    def again(self) -> None:
        if self.ended is not None:
            self._loop.call_soon(self.ended.connection_lost, None)


@breaks("tls.end-after-the-end")
class TlsIsClosedTwice(OverTls):
    """close() of a TLS connection that is lost calls connection_lost() again."""

    class Tls(_TellsAgain):
        def close(self) -> None:
            super().close()
            self.again()


@breaks("tls.end-after-the-end")
class TlsIsAbortedWhenClosed(OverTls):
    """abort() of a TLS connection that is lost calls connection_lost() again."""

    class Tls(_TellsAgain):
        def abort(self) -> None:
            super().abort()
            self.again()


@breaks("tls.refused-afterwards")
class TakesAlertsForGoodbyes(OverTls):
    """A TLS connection that an alert of the peer ends has ended regularly."""

    class Tls(SSLTransport):
        def _read(self) -> None:
            try:
                super()._read()
            except ssl.SSLError as error:
                self._force_close(None if "ALERT" in (error.reason or "") else error)
