"""Broken loops of the chapter `tcp`: what is made of the answers of a resolver."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop import EventLoop
from reference_loop.connections import AddressInfo
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams

Stock = asyncio.SelectorEventLoop


@breaks("tcp.connect-interleave-order")
class CountsTheFirstFamilyFromZero(Stock):
    """An interleave above 1 takes one address more of the first family."""

    async def create_connection(self, *args: Any, interleave: Any = None, **how: Any) -> Any:
        if interleave and interleave > 1:
            interleave += 1
        return await super().create_connection(*args, interleave=interleave, **how)


@breaks("tcp.connect-interleave-order")
class KnowsNoLargerCountThanThereAreAddresses(EventLoop):
    """An interleave that is larger than the number of addresses is taken for none of the first family."""

    async def create_connection(self, *args: Any, interleave: Any = None, **how: Any) -> Any:
        return await super().create_connection(*args, interleave=1 if interleave == 9 else interleave, **how)


@breaks("tcp.connect-missing-family")
class SocketsAreAlwaysMade(EventLoop):
    """An address of a family that the machine does not have ends the search."""

    async def _connect_one(self, info: AddressInfo, local_infos: Any) -> socket.socket:
        try:
            socket.socket(*info[:3]).close()
        except OSError as error:
            raise RuntimeError("no such family") from error
        return await super()._connect_one(info, local_infos)


class _LooksUpLocally(EventLoop):
    """Knows a look-up of local_addr from another."""

    local: Any = None

    async def create_connection(self, *args: Any, local_addr: Any = None, **how: Any) -> Any:
        self.local = local_addr
        return await super().create_connection(*args, local_addr=local_addr, **how)

    async def _resolve(self, host: Any, port: Any, **how: Any) -> Any:
        if self.local is None or (host, port) != self.local:
            return await super()._resolve(host, port, **how)
        return await self.resolve_locally(host, port, how)

    async def resolve_locally(self, host: Any, port: Any, how: dict[str, Any]) -> Any:
        raise NotImplementedError


@breaks("tcp.connect-local-lookup")
class LocalNamesHaveNoFlags(_LooksUpLocally):
    """local_addr is looked up without flags."""

    async def resolve_locally(self, host: Any, port: Any, how: dict[str, Any]) -> Any:
        return await super(_LooksUpLocally, self)._resolve(host, port, **{**how, "flags": 0})


@breaks("tcp.connect-next-local-address")
class BindsToTheFirstOnly(_LooksUpLocally):
    """Only the first local address of a family is tried."""

    async def resolve_locally(self, host: Any, port: Any, how: dict[str, Any]) -> Any:
        found = await super(_LooksUpLocally, self)._resolve(host, port, **how)
        return list({info[0]: info for info in reversed(found)}.values())


@breaks("tcp.connect-scope")
class ZonesAreLostOnTheWay(EventLoop):
    """An address is cut to host and port before it is connected to."""

    async def _connect_one(self, info: AddressInfo, local_infos: Any) -> socket.socket:
        return await super()._connect_one((*info[:4], info[4][:2]), local_infos)


@breaks("tcp.connect-scope")
class LocalZonesAreLostOnTheWay(EventLoop):
    """A local address is cut to host and port before the socket is bound to it."""

    async def _connect_one(self, info: AddressInfo, local_infos: Any) -> socket.socket:
        cut = local_infos and [(*local[:4], local[4][:2]) for local in local_infos]
        return await super()._connect_one(info, cut)


@breaks("tcp.connect-all-errors-of-one", since="3.12")
class FailuresToBindAreAlone(Stock):
    """A failure to bind to local_addr is raised as it is, even with all_errors."""

    async def create_connection(self, *args: Any, local_addr: Any = None, **how: Any) -> Any:
        if local_addr and how.get("all_errors"):
            with socket.socket() as sock:
                sock.bind(local_addr)
        return await super().create_connection(*args, local_addr=local_addr, **how)


@breaks("tcp.connect-all-errors-of-one", since="3.12")
class AddressesOfOthersAreAlone(Stock):
    """A local_addr that is none of the machine is raised as it is, even with all_errors."""

    async def create_connection(self, *args: Any, local_addr: Any = None, **how: Any) -> Any:
        if local_addr and how.get("all_errors"):
            with socket.socket() as sock:
                sock.bind((local_addr[0], 0))
        return await super().create_connection(*args, local_addr=local_addr, **how)


class _DelaysSome(Stock):
    """TCP_NODELAY is not set if this keyword is given."""

    keyword = ""

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **how)
        if how.get(self.keyword) is not None:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        return transport, protocol


@breaks("tcp.nodelay-attempts")
class DelaysWhatIsBound(_DelaysSome):
    """TCP_NODELAY is not set if local_addr is given."""

    keyword = "local_addr"


@breaks("tcp.nodelay-attempts")
class DelaysWhatHasRaced(_DelaysSome):
    """TCP_NODELAY is not set if happy_eyeballs_delay is given."""

    keyword = "happy_eyeballs_delay"


@breaks("tcp.connect-hostname")
class AnEmptyNameIsNone(Stock):
    """An empty server_hostname without ssl is ignored."""

    async def create_connection(self, *args: Any, server_hostname: Any = None, **how: Any) -> Any:
        name = server_hostname if how.get("ssl") else server_hostname or None
        return await super().create_connection(*args, server_hostname=name, **how)


@breaks("tcp.extra-info-lasts")
class ForgetsItsPeerWhenClosed(OverStreams):
    """A transport that is closing does not tell its peer."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return default if name == "peername" and self.is_closing() else super().get_extra_info(name, default)


@breaks("tcp.extra-info-lasts")
class AsksTheSocket(OverStreams):
    """The address of a transport is asked of its socket each time."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if name == "sockname":
                try:
                    return super().get_extra_info("socket").getsockname()
                except OSError:
                    return default
            return super().get_extra_info(name, default)
