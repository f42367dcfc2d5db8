"""Broken loops of the chapter `udp`: the options of an endpoint's socket, sockets that are given, and failures."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.udp_endpoints import Endpoints


class _SetsOptions(EventLoop):
    """Sets a socket option on each endpoint that it has made."""

    option = 0

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(*args, **how)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, self.option, 1)
        return transport, protocol


@breaks("udp.address-in-use")
class SharesAddressesInUse(Endpoints):
    """An endpoint whose address is in use is bound to another port."""

    def change(self, how: dict[str, Any]) -> None:
        host, port = how["local_addr"] or (None, 0)
        if port and not how.get("reuse_port"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((host, port))
                except OSError:
                    how["local_addr"] = (host, 0)


@breaks("udp.no-reuse-address")
class ReusesAddressesOfEndpoints(_SetsOptions):
    """SO_REUSEADDR is set for endpoints."""

    option = socket.SO_REUSEADDR


@breaks("udp.reuse-address-removed")
class IgnoresOldKeywords(Endpoints):
    """reuse_address is accepted and ignored."""

    def change(self, how: dict[str, Any]) -> None:
        how.pop("reuse_address", None)


@breaks("udp.reuse-address-removed")
class RefusesOldKeywordsThatAreTrue(Endpoints):
    """reuse_address=False is accepted, as it was before the parameter was removed."""

    def change(self, how: dict[str, Any]) -> None:
        if how.get("reuse_address") is False:
            del how["reuse_address"]


@breaks("udp.reuse-port")
class IgnoresReusePortOfEndpoints(Endpoints):
    """reuse_port is accepted and ignored."""

    def change(self, how: dict[str, Any]) -> None:
        if how.get("sock") is None:
            how["reuse_port"] = None


@breaks("udp.reuse-port")
class SharesOnlyUnconnectedPorts(Endpoints):
    """reuse_port is ignored for an endpoint that has a remote address."""

    def change(self, how: dict[str, Any]) -> None:
        if how["remote_addr"] is not None:
            how["reuse_port"] = None


@breaks("udp.reuse-address-off")
class ReusesAddressesWithPorts(asyncio.SelectorEventLoop):
    """With reuse_port, SO_REUSEADDR is set as well."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(*args, **how)
        if how.get("reuse_port"):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return transport, protocol


@breaks("udp.reuse-port-off")
class SharesPortsWheneverItIsMentioned(Endpoints):
    """reuse_port=False sets the option."""

    def change(self, how: dict[str, Any]) -> None:
        if how.get("reuse_port") is False:
            how["reuse_port"] = True


@breaks("udp.allow-broadcast")
class IgnoresAllowBroadcast(Endpoints):
    """allow_broadcast is accepted and ignored."""

    def change(self, how: dict[str, Any]) -> None:
        if how.get("sock") is None:
            how["allow_broadcast"] = None


@breaks("udp.allow-broadcast")
class BroadcastsOnlyUnconnected(Endpoints):
    """allow_broadcast is ignored for an endpoint that has a remote address."""

    def change(self, how: dict[str, Any]) -> None:
        if how["remote_addr"] is not None:
            how["allow_broadcast"] = None


@breaks("udp.broadcast-off")
class AllowsBroadcasts(_SetsOptions):
    """SO_BROADCAST is set for endpoints."""

    option = socket.SO_BROADCAST


@breaks("udp.sock")
class LeavesSocketsBlocking(EventLoop):
    """A datagram socket that is given must be in non-blocking mode."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        if (sock := how.get("sock")) is not None and sock.family == socket.AF_INET and sock.gettimeout() != 0:
            sock = how["sock"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
        return await super().create_datagram_endpoint(*args, **how)


@breaks("udp.blocking-sock")
class EndpointsBlockAsTheyCame(EventLoop):
    """A datagram socket that is given stays in the mode that it is in."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        sock = how.get("sock")
        timeout = None if sock is None else sock.gettimeout()
        made = await super().create_datagram_endpoint(*args, **how)
        if sock is not None:
            sock.settimeout(timeout)
        return made


@breaks("udp.sock-is-owned")
class DuplicatesSockets(Endpoints):
    """The transport has a duplicate of the datagram socket that it was given."""

    def change(self, how: dict[str, Any]) -> None:
        sock = how.get("sock")
        if sock is not None and (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_DGRAM):
            how["sock"] = sock.dup()


@breaks("udp.sock-or-arguments")
class PrefersTheSocket(Endpoints):
    """remote_addr is ignored when a datagram socket is given."""

    def change(self, how: dict[str, Any]) -> None:
        if how.get("sock") is not None:
            how["remote_addr"] = None


@breaks("udp.sock-and-options")
class PrefersTheSocketToItsProtocol(Endpoints):
    """proto is ignored when a datagram socket is given."""

    def change(self, how: dict[str, Any]) -> None:
        if how.get("sock") is not None:
            how["proto"] = 0


@breaks("udp.stream-sock")
class TakesAnySocketForDatagrams(EventLoop):
    """A stream socket makes a datagram endpoint."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        sock = how.get("sock")
        if sock is not None and sock.type == socket.SOCK_STREAM:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                return await super().create_datagram_endpoint(*args, **how | {"sock": other})
        return await super().create_datagram_endpoint(*args, **how)


@breaks("udp.unix")
class WantsPairsForUnixSockets(Endpoints):
    """local_addr must be a tuple also for AF_UNIX."""

    def change(self, how: dict[str, Any]) -> None:
        if how["local_addr"] is not None and not isinstance(how["local_addr"], tuple):
            raise TypeError("local_addr must be a tuple of (host, port)")


@breaks("udp.unix-sock")
class KnowsInternetSocketsOnly(Endpoints):
    """A Unix datagram socket is refused."""

    def change(self, how: dict[str, Any]) -> None:
        if (sock := how.get("sock")) is not None and sock.family == socket.AF_UNIX:
            raise ValueError("an Internet socket is expected")


@breaks("udp.unix-unnamed")
class WantsAPeerWithAName(Endpoints):
    """A datagram socket whose peer has no name is refused."""

    def change(self, how: dict[str, Any]) -> None:
        if (sock := how.get("sock")) is not None and sock.family == socket.AF_UNIX and not sock.getpeername():
            raise ValueError("the socket is not connected")


@breaks("udp.failing-factory")
class LeavesTheSocketOfAFailedFactory(EventLoop):
    """When the factory of an endpoint fails, its socket stays open."""

    async def _open_first(self, *args: Any) -> Any:
        self.opened, address = await super()._open_first(*args)
        return self.opened, address

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        def factory() -> Any:
            try:
                return protocol_factory()
            except BaseException:
                self.opened.dup().detach()
                raise

        return await super().create_datagram_endpoint(factory, *args, **how)


@breaks("udp.cancelled")
class LeavesTheSocketOfACancelledEndpoint(EventLoop):
    """When the making of an endpoint is cancelled, its socket stays open."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        try:
            return await super().create_datagram_endpoint(*args, **how)
        except asyncio.CancelledError:
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()
            raise
