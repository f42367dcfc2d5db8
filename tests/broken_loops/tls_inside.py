"""Broken loops of the chapter `tls`: what a protocol does inside its callbacks, and how methods are called."""

from __future__ import annotations

import sys
from typing import Any

from reference_loop import EventLoop
from reference_loop.tls import SSLTransport
from tests.broken_loops import breaks


class OverTls(EventLoop):
    """Makes TLS connections of the class `Tls`, but for upgrades."""

    Tls: type[SSLTransport] = SSLTransport

    def _start_tls_stream(self, *args: Any, **kwargs: Any) -> Any:
        transport = super()._start_tls_stream(*args, **kwargs)
        transport.__class__ = self.Tls
        return transport


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


class _InTheMidst(SSLTransport):
    """Knows whether it is inside pause_writing() or resume_writing()."""

    telling = False

    def _tell(self, method: str) -> None:
        self.telling = True
        super()._tell(method)
        self.telling = False


@breaks("tls.write-inside-pause")
class TlsIsDeafWhileItPauses(OverTls):
    """What is written inside pause_writing() of a TLS connection is dropped."""

    class Tls(_InTheMidst):
        def write(self, data: Any) -> None:
            if not self.telling:
                super().write(data)


@breaks("tls.close-inside-pause")
class ClosingPausedTlsDrops(OverTls):
    """close() inside pause_writing() of a TLS connection is abort()."""

    class Tls(_InTheMidst):
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
