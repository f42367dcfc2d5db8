"""Broken loops of the chapter `tls`: the methods of a TLS transport, and upgrades of connections of any kind."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import counts_pauses, hides, replaced
from tests.broken_loops.tls_connections import TampersWithTls

Stock = asyncio.SelectorEventLoop


@breaks("tls.transport-class")
class TlsTransportsAreWrapped(Stock):
    """create_connection() and create_server() give a TLS transport in a wrapper, which is no asyncio.Transport."""

    def wrapping(self, protocol_factory: Any) -> Any:
        class Wrapper:
            def __init__(self, wrapped: Any) -> None:
                self.wrapped = wrapped

            def __getattr__(self, name: str) -> Any:
                return getattr(self.wrapped, name)

        def make() -> Any:
            protocol = protocol_factory()
            replaced(protocol, "connection_made", lambda made, transport: made(Wrapper(transport)))
            return protocol

        return make

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            _, protocol = await super().create_connection(self.wrapping(protocol_factory), *args, **kwargs)
            return protocol.transport, protocol
        return await super().create_connection(protocol_factory, *args, **kwargs)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_server(self.wrapping(protocol_factory), *args, **kwargs)


@breaks("tls.info-when-made")
class TellsOfTlsLater(TampersWithTls):
    """Until connection_made() has returned, nothing is known of TLS."""

    def patch(self, transport: Any, protocol: Any) -> None:
        known: list[bool] = []
        self.call_soon(known.append, True)
        replaced(
            transport,
            "get_extra_info",
            lambda info, name, default=None: info(name, default) if known else default,
        )


@breaks("tls.info-when-made")
class ServersHaveNoCipher(TampersWithTls):
    """'cipher' is known by clients only."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if transport.get_extra_info("ssl_object").server_side:
            hides(transport, "cipher")


@breaks("tls.nodelay")
class NagleBeneathTls(TampersWithTls):
    """TCP_NODELAY is not set where TLS is spoken."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)


@breaks("tls.pause-reading-idempotent")
class CountsResumesOfTls(TampersWithTls):
    """A pause of a TLS transport that was resumed while it read takes only that back."""

    def patch(self, transport: Any, protocol: Any) -> None:
        resumes: list[bool] = []

        def resume(resume: Any) -> None:
            if transport.is_reading():
                resumes.append(True)
            resume()

        def pause(pause: Any) -> None:
            if resumes:
                resumes.pop()
            else:
                pause()

        replaced(transport, "resume_reading", resume)
        replaced(transport, "pause_reading", pause)


@breaks("tls.pause-reading-idempotent")
class CountsPausesOfTls(TampersWithTls):
    """Two pauses of a TLS transport need two resumes."""

    def patch(self, transport: Any, protocol: Any) -> None:
        counts_pauses(transport)


@breaks("tls.pause-reading-when-closed")
class ClosedTlsCannotPause(TampersWithTls):
    """pause_reading() of a TLS transport that is closing raises RuntimeError."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def pause(pause: Any) -> None:
            if transport.is_closing():
                raise RuntimeError("the transport is closing")
            pause()

        replaced(transport, "pause_reading", pause)


@breaks("tls.set-protocol-ends")
class TheFirstProtocolIsTold(TampersWithTls):
    """connection_lost() of a TLS connection goes to the protocol that it was made with."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def set_protocol(set_protocol: Any, other: Any) -> None:
            set_protocol(other)
            if other is not protocol:
                other.connection_lost = protocol.connection_lost

        replaced(transport, "set_protocol", set_protocol)


@breaks("tls.writelines-order")
class LinesNeedAFirst(TampersWithTls):
    """writelines() of a TLS transport fails for an empty list."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def writelines(writelines: Any, lines: Any) -> None:
            first, *rest = lines
            writelines([first, *rest])

        replaced(transport, "writelines", writelines)


@breaks("tls.writelines-order")
class LinesOfTlsComeLate(TampersWithTls):
    """writelines() of a TLS transport writes in the next turn of the loop."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "writelines", lambda writelines, lines: self.call_soon(writelines, list(lines)))


@breaks("tls.write-wide-items")
class TlsCountsItems(TampersWithTls):
    """write() of a TLS transport sends as many bytes of a memoryview as it has items."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(
            transport,
            "write",
            lambda write, data: write(bytes(data)[: len(data)] if isinstance(data, memoryview) else data),
        )


class _Limits(TampersWithTls):
    """Changes what set_write_buffer_limits() of a TLS transport is given."""

    def changed(self, transport: Any, high: int | None, low: int | None) -> tuple[int | None, int | None]:
        raise NotImplementedError

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(
            transport,
            "set_write_buffer_limits",
            lambda limits, high=None, low=None: limits(*self.changed(transport, high, low)),
        )


@breaks("tls.limits-related")
class ZeroIsNoLimitOfTls(_Limits):
    """A high watermark of zero means the default."""

    def changed(self, transport: Any, high: int | None, low: int | None) -> tuple[int | None, int | None]:
        return high or None, low


@breaks("tls.limits-refused")
class CorrectsLimitsOfTls(_Limits):
    """A low watermark above the high one is lowered, and what is negative becomes zero."""

    def changed(self, transport: Any, high: int | None, low: int | None) -> tuple[int | None, int | None]:
        high = high and max(high, 0)
        return high, low and max(0, min(low, high or low))


@breaks("tls.buffer-size")
class TheBufferOfTlsIsElsewhere(TampersWithTls):
    """get_write_buffer_size() of a TLS transport is zero."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.get_write_buffer_size = lambda: 0


@breaks("tls.buffer-size")
class ClosingTlsHasNoBuffer(TampersWithTls):
    """get_write_buffer_size() of a TLS transport that is closing is zero."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_write_buffer_size", lambda size: 0 if transport.is_closing() else size())


@breaks("tls.close-while-paused")
class WhoPausesTlsDoesNotFlush(TampersWithTls):
    """close() while reading is paused aborts a TLS connection."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(
            transport, "close", lambda close: close() if transport.is_reading() or protocol.lost else transport.abort()
        )


@breaks("tls.start-ways")
class UpgradesNoUnixSockets(Stock):
    """start_tls() refuses a connection over a Unix socket."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            raise TypeError("TLS is spoken over TCP")
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


@breaks("tls.start-handshake-timeout", "tls.start-shutdown-timeout")
class ServersUpgradeWithoutTimeouts(Stock):
    """The timeouts of start_tls() are for clients: a server's upgrade has the default ones."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if kwargs.get("server_side"):
            kwargs.update(ssl_handshake_timeout=None, ssl_shutdown_timeout=None)
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


@breaks("tls.extra-default")
class FalseDefaultsOfTlsAreNone(TampersWithTls):
    """get_extra_info() of a TLS transport returns None for a default that is false."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_extra_info", lambda info, name, default=None: info(name, default or None))


@breaks("tls.limits-related")
class NoLowWatermarkAlone(_Limits):
    """A low watermark without a high one is ignored."""

    def changed(self, transport: Any, high: int | None, low: int | None) -> tuple[int | None, int | None]:
        return high, None if high is None else low
