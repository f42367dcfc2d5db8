"""Broken loops of the chapter `tls`: what a protocol does inside its callbacks, and how methods are called."""

from __future__ import annotations

import contextlib
import ssl
import sys
from typing import Any

from reference_loop.tls import SSLTransport
from reference_loop.tls_session import State
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import KnowsWhatItTells, OverTls


@breaks("tls.end-inside-except")
class AbortsTlsForTheCallersReason(OverTls):
    """connection_lost() of TLS gets the exception that is being handled where abort() is called."""

    class Tls(SSLTransport):
        def abort(self) -> None:
            self._force_close(sys.exc_info()[1])


@breaks("tls.set-protocol-inside")
class TlsEndsForTheFirst(OverTls):
    """A protocol that is set inside eof_received() of a TLS connection is forgotten."""

    class Tls(SSLTransport):
        def _receive_eof(self) -> None:
            protocol = self._protocol
            super()._receive_eof()
            self._protocol = protocol


@breaks("tls.write-inside-pause")
class TlsIsDeafWhileItPauses(OverTls):
    """What is written inside pause_writing() of a TLS connection is dropped."""

    class Tls(KnowsWhatItTells, SSLTransport):
        def write(self, data: Any) -> None:
            if not self.telling:
                super().write(data)


@breaks("tls.close-inside-pause")
class ClosingPausedTlsDrops(OverTls):
    """close() inside pause_writing() of a TLS connection is abort()."""

    class Tls(KnowsWhatItTells, SSLTransport):
        def close(self) -> None:
            if self.telling:
                self.abort()
            else:
                super().close()


@breaks("tls.write-returns-none")
class TlsCounts(OverTls):
    """write() of a TLS transport returns how many bytes it was given."""

    class Tls(SSLTransport):
        def write(self, data: Any) -> Any:
            super().write(data)
            return len(data)


@breaks("tls.methods-by-name")
class TlsTakesPositions(OverTls):
    """write() of a TLS transport takes data by position only."""

    class Tls(SSLTransport):
        def write(self, data: Any, /) -> None:
            super().write(data)


@breaks("tls.extra-info-closed")
class ClosedTlsKnowsNothing(OverTls):
    """get_extra_info() of a TLS transport whose connection is lost raises an exception."""

    class Tls(SSLTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if self._protocol is None:
                raise RuntimeError("the connection is lost")
            return super().get_extra_info(name, default)


@breaks("tls.abort-inside")
class AbortedTlsGoesOnReading(OverTls):
    """Every record that has come is handed out by itself, also after abort()."""

    class Tls(SSLTransport):
        def _read(self) -> None:
            protocol = self._protocol
            if self._buffered_protocol or self._paused:
                super()._read()
                return
            with contextlib.suppress(ssl.SSLWantReadError):
                while data := self._engine.object.read(16384):
                    protocol.data_received(data)
                    if self._state is State.CLOSING:
                        return
            super()._read()


@breaks("tls.callback-error-ends")
class TlsOutlivesErrors(OverTls):
    """An exception in data_received() of a TLS connection is reported, and nothing else."""

    class Tls(SSLTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            if isinstance(exc, OSError):
                super()._fail(exc, message)
            else:
                self._report(exc, message)


@breaks("tls.set-protocol-flow")
class TlsPausesTheFirst(OverTls):
    """pause_writing() and resume_writing() of TLS are called on the protocol that the connection was made with."""

    class Tls(SSLTransport):
        first: Any = None

        def _read(self) -> None:
            self.first = self.first or self._protocol
            super()._read()

        def _tell(self, method: str) -> None:
            protocol, self._protocol = self._protocol, self.first or self._protocol
            super()._tell(method)
            self._protocol = protocol


@breaks("tls.pause-outlasts-writing")
class WritingTlsResumes(OverTls):
    """write() to a TLS transport resumes reading."""

    class Tls(SSLTransport):
        def write(self, data: Any) -> None:
            super().write(data)
            self.resume_reading()


@breaks("tls.is-closing-inside")
class TlsIsOpenWhenItIsLost(OverTls):
    """is_closing() of TLS is False inside connection_lost()."""

    class Tls(SSLTransport):
        losing = False

        def connection_lost(self, exc: BaseException | None) -> None:
            self.losing = True
            super().connection_lost(exc)
            self.losing = False

        def is_closing(self) -> bool:
            return not self.losing and super().is_closing()


@breaks("tls.write-wide-items")
class TlsWritesFromTheBeginning(OverTls):
    """Of a view, what is sent over TLS begins where its memory does."""

    class Tls(SSLTransport):
        def write(self, data: Any) -> None:
            if isinstance(data, memoryview) and isinstance(data.obj, bytearray):
                data = bytes(data.obj[: data.nbytes])
            super().write(data)


@breaks("tls.reset")
class ResetsOfBusyTlsAreEnds(OverTls):
    """connection_lost() of TLS that has something to write gets None when the peer has reset the connection."""

    class Tls(SSLTransport):
        def connection_lost(self, exc: BaseException | None) -> None:
            super().connection_lost(None if self._backlog or self._lower_full else exc)
