"""Broken loops of the chapter `buffered`: changing protocols, methods that take them, and errors."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.protocols import Reacts
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.buffered import TampersWithBuffers
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Switches(Stock):
    """Changes what set_protocol() of a transport does."""

    def switched(self, switch: Any, old: Any, new: Any) -> None:
        switch(new)

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, *args, **kwargs)
        replaced(transport, "set_protocol", lambda switch, new: self.switched(switch, transport.get_protocol(), new))
        return transport, protocol


def has_buffers(protocol: Any) -> bool:
    return isinstance(protocol, asyncio.BufferedProtocol)


@breaks("buffered.switch-to", "buffered.switch-in-callback")
class StaysStreaming(_Switches):
    """A transport that began without buffers tells nobody with buffers."""

    def switched(self, switch: Any, old: Any, new: Any) -> None:
        if has_buffers(old) or not has_buffers(new):
            switch(new)


@breaks("buffered.switch-from")
class StaysBuffered(_Switches):
    """A transport that began with buffers keeps the protocol that has them."""

    def switched(self, switch: Any, old: Any, new: Any) -> None:
        if has_buffers(new) or not has_buffers(old):
            switch(new)


@breaks("buffered.streaming-stays")
class LooksForGetBuffer(OverStreams):
    """Whatever has a get_buffer() is a buffered protocol."""

    class Stream(StreamTransport):
        def set_protocol(self, protocol: Any) -> None:
            super().set_protocol(protocol)
            self._buffered_protocol = hasattr(protocol, "get_buffer")


@breaks("buffered.streaming-stays")
class LooksForGetBufferLater(OverStreams):
    """Whatever has a get_buffer() is a buffered protocol, when it is not the transport's first."""

    class Stream(StreamTransport):
        def set_protocol(self, protocol: Any) -> None:
            first = not hasattr(self, "_buffered_protocol")
            super().set_protocol(protocol)
            if not first:
                self._buffered_protocol = hasattr(protocol, "get_buffer")


@breaks("buffered.switch-in-callback")
class SwitchesLate(_Switches):
    """A protocol that is set in a callback is used after the next data."""

    def switched(self, switch: Any, old: Any, new: Any) -> None:
        if isinstance(old, Reacts) and has_buffers(new):  # called within its data_received()
            received = old.data_received

            def next_data(data: bytes) -> None:
                switch(new)
                received(data)

            old.data_received = next_data
        else:
            switch(new)


@breaks("buffered.switch-buffers")
class KeepsTheFirstBuffers(_Switches):
    """A second buffered protocol is not used."""

    def switched(self, switch: Any, old: Any, new: Any) -> None:
        if not (has_buffers(old) and has_buffers(new)):
            switch(new)


class _Ignores(Stock):
    """Tells a buffered protocol nothing, if it is one of the given method."""

    def deaf(self, protocol_factory: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            if has_buffers(protocol):
                own = bytearray(65536)
                protocol.get_buffer = lambda sizehint: own
                protocol.buffer_updated = lambda nbytes: None
            return protocol

        return make


@breaks("buffered.server")
class ServersHaveNoBuffers(_Ignores):
    """create_server() ignores the buffers of a protocol."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_server(self.deaf(protocol_factory), *args, **kwargs)


@breaks("buffered.unix")
class UnixHasNoBuffers(_Ignores):
    """create_unix_connection() ignores the buffers of a protocol."""

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_unix_connection(self.deaf(protocol_factory), *args, **kwargs)


@breaks("buffered.accepted-socket")
class AcceptedSocketsHaveNoBuffers(_Ignores):
    """connect_accepted_socket() ignores the buffers of a protocol."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        return await super().connect_accepted_socket(self.deaf(protocol_factory), sock, **kwargs)


@breaks("buffered.start-tls")
class UpgradesHaveNoBuffers(_Ignores):
    """start_tls() ignores the buffers of a protocol."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        self.deaf(lambda: protocol)()
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


@breaks("buffered.writes")
class BuffersAreForReading(TampersWithBuffers):
    """A transport with a buffered protocol writes no more than a piece."""

    def patch(self, protocol: Any) -> None:
        def made(made: Any, transport: Any) -> None:
            replaced(transport, "write", lambda write, data: write(data[:65536]))
            made(transport)

        replaced(protocol, "connection_made", made)


@breaks("buffered.lost")
class AsksWhenItIsLost(TampersWithBuffers):
    """A buffer is asked for when the connection has been closed."""

    def patch(self, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            told(exc)
            if exc is None:
                protocol.get_buffer(-1)

        replaced(protocol, "connection_lost", lost)


@breaks("buffered.reset")
class ResetsOfBuffersAreEnds(TampersWithBuffers):
    """A reset is an end in order."""

    def patch(self, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            told(None if isinstance(exc, ConnectionResetError) else exc)

        replaced(protocol, "connection_lost", lost)


class _Errors(TampersWithBuffers):
    """Does something else with an exception of a callback."""

    def raised(self, error: Exception, protocol: Any) -> Any:
        raise error

    def patch(self, protocol: Any) -> None:
        for name in ("get_buffer", "buffer_updated"):

            def guarded(call: Any, argument: int) -> Any:
                try:
                    return call(argument)
                except Exception as error:
                    return self.raised(error, protocol)

            replaced(protocol, name, guarded)


@breaks("buffered.callback-error")
class BufferErrorsAreSilent(_Errors):
    """An exception of a callback ends the connection in silence."""

    def raised(self, error: Exception, protocol: Any) -> Any:
        protocol.transport.abort()
        return bytearray(1)


@breaks("buffered.callback-error-ends")
class BufferErrorsAreReportedOnly(_Errors):
    """An exception of a callback is reported, and the connection goes on."""

    def raised(self, error: Exception, protocol: Any) -> Any:
        self.call_exception_handler({"message": "a callback failed", "exception": error})
        return bytearray(1)
