"""What broken loops of several chapters are made of: the reference loop with other transports, or other sockets."""

from __future__ import annotations

import socket
from contextvars import Context
from typing import Any

from reference_loop import EventLoop
from reference_loop.flow import FlowControlledTransport
from reference_loop.streams import StreamTransport
from reference_loop.tls import SSLTransport


class OddSocket:
    """A socket whose calls a broken loop changes; the rest is the real one's."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class KnowsWhatItTells(FlowControlledTransport):
    """Beside a transport's class: knows whether its protocol's pause_writing() or resume_writing() is being called."""

    telling = ""

    def _tell(self, method: str) -> None:
        self.telling = method
        super()._tell(method)
        self.telling = ""


class OverStreams(EventLoop):
    """Makes connections of the class `Stream`, over sockets of the class `Socket` if there is one."""

    Stream: type[StreamTransport] = StreamTransport
    Socket: type[OddSocket] | None = None

    def _start_stream(
        self,
        sock: socket.socket,
        protocol: Any,
        *,
        waiter: Any = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        context: Context | None = None,
    ) -> StreamTransport:
        transport = self.Stream(self, sock, protocol, waiter, extra, server, context)
        if self.Socket is not None:
            transport._sock = self.Socket(sock)  # type: ignore[assignment]
        return transport


class OverTls(EventLoop):
    """Makes TLS connections of the class `Tls`, but for upgrades."""

    Tls: type[SSLTransport] = SSLTransport

    def _start_tls_stream(self, *args: Any, **kwargs: Any) -> SSLTransport:
        transport = super()._start_tls_stream(*args, **kwargs)
        transport.__class__ = self.Tls
        return transport
