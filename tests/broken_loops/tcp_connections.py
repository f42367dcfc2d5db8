"""Broken loops of the chapter `tcp`: create_connection() and connect_accepted_socket()."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

from reference_loop import EventLoop
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams

Stock = asyncio.SelectorEventLoop


@breaks("tcp.connect-pair")
class ReturnsAList(Stock):
    """create_connection() returns a list."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        return list(await super().create_connection(*args, **kwargs))


@breaks("tcp.connect-factory")
class PassesTheFactoryAnArgument(Stock):
    """The factory is called with the loop as a keyword, if it takes any."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(factory, "__name__", "") == "factory" and factory.__code__.co_flags & 8:
            return await super().create_connection(lambda: factory(loop=self), *args, **kwargs)
        return await super().create_connection(factory, *args, **kwargs)


@breaks("tcp.connect-factory")
class TriesTheFactoryFirst(Stock):
    """connect_accepted_socket() calls the factory once before it uses it."""

    async def connect_accepted_socket(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        factory()
        return await super().connect_accepted_socket(factory, *args, **kwargs)


@breaks("tcp.connect-factory-last")
class MakesTheProtocolFirst(Stock):
    """The protocol is made before the address is known to answer."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            return await super().create_connection(factory, *args, **kwargs)
        protocol = factory()
        return await super().create_connection(lambda: protocol, *args, **kwargs)


@breaks("tcp.connect-made-first")
class AnnouncesLate(OverStreams):
    """create_connection() returns while connection_made() is on its way, if host and port were given."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            if waiter is not None and self._loop.__dict__.pop("hurry", False):
                waiter.set_result(None)
                self._loop.call_soon(self._loop.call_soon, super()._begin, None)
            else:
                super()._begin(waiter)

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        self.hurry = bool(args[1:]) and not kwargs
        return await super().create_connection(*args, **kwargs)


@breaks("tcp.connect-host")
class TakesNumbersForPortsOnly(Stock):
    """A port that is a string is refused."""

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if isinstance(port, str):
            raise TypeError("an integer is required")
        return await super().create_connection(factory, host, port, **kwargs)


@breaks("tcp.connect-ipv6")
class ConnectsToIPv4Only(Stock):
    """The family is AF_INET if it is not given and the host is."""

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if host is not None:
            kwargs.setdefault("family", socket.AF_INET)
        return await super().create_connection(factory, host, port, **kwargs)


@breaks("tcp.connect-nodelay")
class SetsNoDelayForSocketsOnly(Stock):
    """TCP_NODELAY is set only for a connection made elsewhere."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **kwargs)
        if args[1:]:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        return transport, protocol


@breaks("tcp.connect-keywords-only")
class TakesSslAsFourthArgument(Stock):
    """ssl is also taken by position."""

    async def create_connection(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, ssl: Any = None, **kwargs: Any
    ) -> Any:
        return await super().create_connection(factory, host, port, ssl=ssl, **kwargs)


@breaks("tcp.connect-sock")
class WritesToAnotherSocket(Stock):
    """A TCP socket that was given is closed, and its peer connected to once more where it listens."""

    async def create_connection(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        if sock is not None and not args[1:] and sock.type == socket.SOCK_STREAM and sock.family == socket.AF_INET:
            ours, theirs = socket.socketpair()
            self.kept = theirs
            sock.detach()
            sock = ours
        return await super().create_connection(*args, sock=sock, **kwargs)

    def close(self) -> None:
        if kept := self.__dict__.pop("kept", None):
            kept.close()
        super().close()


@breaks("tcp.connect-sock-is-owned")
class ClosesADuplicate(OverStreams):
    """A transport has a duplicate of the socket that it was given; the original stays open until the loop is closed."""

    async def create_connection(self, factory: Any, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        if sock is not None and not args:
            self.duplicates = [*self.__dict__.get("duplicates", ()), os.dup(sock.fileno())]
        return await super().create_connection(factory, *args, sock=sock, **kwargs)

    def close(self) -> None:
        for fd in self.__dict__.pop("duplicates", ()):
            os.close(fd)
        super().close()


@breaks("tcp.connect-blocking-socket")
class LeavesTheSocketAsItCame(OverStreams):
    """The socket that was given stays in blocking mode."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            self._sock.settimeout(self._loop.__dict__.pop("timeout", 0.0))  # type: ignore[union-attr]
            super()._begin(waiter)

    async def create_connection(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        if sock is not None:
            self.timeout = sock.gettimeout()
        return await super().create_connection(*args, sock=sock, **kwargs)


@breaks("tcp.connect-unix-sock")
class TakesInternetSocketsOnly(Stock):
    """A Unix socket is refused."""

    async def create_connection(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        if sock is not None and sock.family == socket.AF_UNIX:
            raise ValueError("use create_unix_connection()")
        return await super().create_connection(*args, sock=sock, **kwargs)


@breaks("tcp.connect-sock-or-host")
class PrefersTheSocketToAPort(Stock):
    """A port is ignored if a socket is given."""

    async def create_connection(
        self, factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **kwargs: Any
    ) -> Any:
        return await super().create_connection(factory, host, None if sock else port, sock=sock, **kwargs)


@breaks("tcp.connect-nothing")
class HasADefaultAddress(Stock):
    """Without an address, port 1 of this host is tried."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        return await super().create_connection(*args if len(args) > 1 or kwargs else (*args, "127.0.0.1", 1), **kwargs)


@breaks("tcp.connect-datagram-sock")
class TakesAnySocket(EventLoop):
    """The type of the socket is not looked at by create_connection()."""

    def _check_stream(self, sock: socket.socket, family: int | None = None) -> None:
        if sock.type != socket.SOCK_DGRAM or not self.__dict__.get("lenient"):
            super()._check_stream(sock, family)

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        self.lenient = True
        try:
            return await super().create_connection(*args, **kwargs)
        finally:
            self.lenient = False


@breaks("tcp.connect-tls-arguments")
class IgnoresTheShutdownTimeout(Stock):
    """ssl_shutdown_timeout is ignored without ssl."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("ssl"):
            kwargs.pop("ssl_shutdown_timeout", None)
        return await super().create_connection(*args, **kwargs)


@breaks("tcp.connect-tls-needs-a-name")
class TakesTheEmptyHostForAName(Stock):
    """An empty host is a name that need not match."""

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if host == "" and kwargs.get("ssl"):
            host = "127.0.0.1"
            kwargs["ssl"].check_hostname = False
            kwargs.setdefault("server_hostname", "")
        return await super().create_connection(factory, host, port, **kwargs)


@breaks("tcp.connect-in-background")
class ConnectsBlocking(EventLoop):
    """A connection to a numeric address is made before anything else runs."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        sock.settimeout(2.0)
        sock.connect(address)
        sock.setblocking(False)


@breaks("tcp.connect-cancelled")
class ForgetsTheSocketOfACancelledAttempt(EventLoop):
    """The descriptor of an attempt that is cancelled is not closed."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        try:
            await super().sock_connect(sock, address)
        except asyncio.CancelledError:
            if self.__dict__.setdefault("first", address)[0] == address[0]:
                os.dup(sock.fileno())
            raise


@breaks("tcp.connect-failing-factory")
class KeepsTheConnectionOfAFailingFactory(EventLoop):
    """The socket is open when the factory has raised."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        def asks() -> Any:
            try:
                return factory()
            except LookupError as error:
                self.error = error
                return asyncio.Protocol()

        pair: Any = await super().create_connection(asks, *args, **kwargs)
        if error := self.__dict__.pop("error", None):
            self.kept = pair
            raise error
        return pair

    def close(self) -> None:
        if kept := self.__dict__.pop("kept", None):
            kept[0].abort()
            self.call_soon(self.stop)
            self.run_forever()
        super().close()


@breaks("tcp.connect-failing-connection-made")
class PassesTheExceptionOfConnectionMadeOn(Stock):
    """create_connection() raises what connection_made() raised."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = factory()
        announce = protocol.connection_made
        errors: list[BaseException] = []

        def asks(transport: Any) -> None:
            try:
                announce(transport)
            except LookupError as error:
                errors.append(error)

        with contextlib.suppress(AttributeError):
            protocol.connection_made = asks
        transport, _ = await super().create_connection(lambda: protocol, *args, **kwargs)
        if errors:
            transport.abort()
            raise errors[0]
        return transport, protocol


@breaks("tcp.connect-refused")
class RaisesAPlainOSErrorForARefusal(Stock):
    """A refused connection raises OSError with a text and no number."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().create_connection(*args, **kwargs)
        except ConnectionRefusedError as error:
            raise OSError(str(error)) from None


@breaks("tcp.accepted-pair")
class NeverReadsFromAnAcceptedSocket(Stock):
    """The transport of an accepted socket starts paused."""

    async def connect_accepted_socket(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().connect_accepted_socket(*args, **kwargs)
        transport.pause_reading()
        return transport, protocol


@breaks("tcp.accepted-is-owned")
class KeepsTheAcceptedSocket(Stock):
    """An accepted socket stays open until the loop is closed."""

    async def connect_accepted_socket(self, factory: Any, sock: Any, **kwargs: Any) -> Any:
        if sock.type == socket.SOCK_STREAM:
            self.kept = sock.dup()
        return await super().connect_accepted_socket(factory, sock, **kwargs)

    def close(self) -> None:
        if kept := self.__dict__.pop("kept", None):
            kept.close()
        super().close()


@breaks("tcp.accepted-datagram-sock")
class TakesAnyAcceptedSocket(EventLoop):
    """The type of the socket is not looked at by connect_accepted_socket()."""

    async def connect_accepted_socket(self, factory: Any, sock: Any, **kwargs: Any) -> Any:
        if sock.type == socket.SOCK_DGRAM:
            return self._start_stream(sock, factory()), None
        return await super().connect_accepted_socket(factory, sock, **kwargs)


@breaks("tcp.accepted-tls-arguments")
class IgnoresTheTimeoutsOfAcceptedSockets(Stock):
    """ssl_handshake_timeout is ignored without ssl."""

    async def connect_accepted_socket(self, factory: Any, sock: Any, **kwargs: Any) -> Any:
        if not kwargs.get("ssl"):
            kwargs.pop("ssl_handshake_timeout", None)
        return await super().connect_accepted_socket(factory, sock, **kwargs)
