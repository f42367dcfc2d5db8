"""Broken loops of the chapter `streams`: servers, the arguments that are passed on, and the examples of the page."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.streams import SERVERS, UNIX, Stock, TampersWithStreams, is_stream
from tests.broken_loops.subprocess_transport import replaced


@breaks("streams.server")
class UnixHandlersGetNoLine(TampersWithStreams):
    """The first line that a stream of a Unix server receives is lost."""

    of = UNIX

    def tamper(self, protocol: Any) -> None:
        if protocol._client_connected_cb is not None:
            replaced(protocol, "data_received", lambda told, data: told(data if data != b"line\n" else b"\n"))


@breaks("streams.server-after-eof")
class HandlersEndWithTheirClients(TampersWithStreams):
    """The task of a handler is cancelled when the client has sent its end."""

    of = SERVERS

    def tamper(self, protocol: Any) -> None:
        def ended(told: Any) -> Any:
            if task := getattr(protocol, "_task", None):
                self.call_later(0.001, task.cancel)
            return told()

        replaced(protocol, "eof_received", ended)


@breaks("streams.server-several", "streams.example-echo")
class OneProtocolForAllStreams(Stock):
    """The protocol factory of a server of streams is called once: its connections share a protocol."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made = protocol_factory()
        shared = (lambda: made) if is_stream(made) else protocol_factory
        return await super().create_server(shared, *args, **kwargs)


@breaks("streams.server-in-the-loop")
class CallsBackInAThread(TampersWithStreams):
    """client_connected_cb is called in a thread of the default executor."""

    of = UNIX

    def tamper(self, protocol: Any) -> None:
        called = protocol._client_connected_cb
        if getattr(called, "__name__", None) == "called":
            protocol._client_connected_cb = lambda *pair: self.run_in_executor(None, called, *pair) and None


@breaks("streams.server-error")
class UnixHandlersFailUnseen(TampersWithStreams):
    """The exceptions of a handler's task are not reported if the server is one of Unix sockets."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        transport = context.get("transport")
        if transport is None or transport.get_extra_info("socket").family != socket.AF_UNIX:
            super().call_exception_handler(context)


@breaks("streams.server-starts-later")
class UnixStreamServersStartAtOnce(Stock):
    """start_serving=False is dropped for servers of streams over Unix sockets."""

    async def create_unix_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if is_stream(protocol_factory()):
            kwargs.pop("start_serving", None)
        return await super().create_unix_server(protocol_factory, *args, **kwargs)


@breaks("streams.server-close")
class ClosingAServerEndsItsStreams(TampersWithStreams):
    """close() of a server aborts the streams that it has accepted."""

    of = SERVERS

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Any] = []

    def patch(self, transport: Any, protocol: Any) -> None:
        self.accepted.append(transport)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_server(protocol_factory, *args, **kwargs)

        def close(close: Any) -> None:
            close()
            for transport in self.accepted:
                transport.abort()

        if is_stream(protocol_factory()):
            replaced(server, "close", close)
        return server


@breaks("streams.server-sock")
class KeepsTheListenerOfStreams(Stock):
    """create_server(sock=…) for streams listens on a duplicate and leaves the socket open."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None and is_stream(protocol_factory()):
            kwargs["sock"] = kwargs["sock"].dup()
        return await super().create_server(protocol_factory, *args, **kwargs)


class Forgets(Stock):
    """Knows some arguments only of those that are given for a stream."""

    forgotten: tuple[str, ...] = ()

    def known(self, protocol: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in kwargs.items() if name not in self.forgotten or not is_stream(protocol)}


@breaks("streams.open-arguments")
class StreamsAreOfAnyFamily(Forgets):
    """family and flags are dropped when a stream is opened."""

    forgotten = ("family", "flags")

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        return await super().create_connection(lambda: protocol, *args, **self.known(protocol, kwargs))


@breaks("streams.open-arguments")
class StreamsComeFromAnywhere(Forgets):
    """local_addr is dropped when a stream is opened."""

    forgotten = ("local_addr",)

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        return await super().create_connection(lambda: protocol, *args, **self.known(protocol, kwargs))


@breaks("streams.open-happy-eyeballs")
class StreamsTryOneByOne(Stock):
    """create_connection() does not take happy_eyeballs_delay for a stream."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        if is_stream(protocol) and "happy_eyeballs_delay" in kwargs:
            raise TypeError("unexpected keyword argument 'happy_eyeballs_delay'")
        return await super().create_connection(lambda: protocol, *args, **kwargs)


@breaks("streams.server-arguments")
class StreamServersOfAnyFamily(Forgets):
    """family is dropped when a server of streams is started."""

    forgotten = ("family",)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_server(protocol_factory, *args, **self.known(protocol_factory(), kwargs))


@breaks("streams.example-socket")
class KeepsThePairItWasGiven(Stock):
    """create_connection(sock=…) works on a duplicate of a Unix socket and leaves the socket open."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        sock = kwargs.get("sock")
        if sock is not None and sock.family == socket.AF_UNIX:
            kwargs["sock"] = sock.dup()
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("streams.example-headers")
class DefaultContextsOfStreamsTrustNobody(Stock):
    """ssl=True for a stream is a context without authorities."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        if is_stream(protocol) and kwargs.get("ssl") is True:
            kwargs["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return await super().create_connection(lambda: protocol, *args, **kwargs)
