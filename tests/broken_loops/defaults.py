"""Broken loops of several chapters: an argument that is given with its default counts as given."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
_ABSENT = object()


class _Given(Stock):
    """Refuses keyword arguments that have their default."""

    def refuse(self, how: dict[str, Any], name: str, default: object = None) -> None:
        value = how.get(name, _ABSENT)
        if value is default or (value is not None and value == default):
            raise TypeError(f"{name} makes no sense here")


@breaks("tcp.connect-defaults")
class TakesNoSockForASock(_Given):
    """create_connection() with a host and sock=None raises."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        self.refuse(how, "sock")
        return await super().create_connection(protocol_factory, host, port, **how)


@breaks("tcp.connect-defaults")
class BindsToNoAddress(_Given):
    """create_connection() with local_addr=None raises."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        self.refuse(how, "local_addr")
        return await super().create_connection(protocol_factory, host, port, **how)


@breaks("tcp.connect-happy-eyeballs-defaults")
class RacesAfterNone(_Given):
    """create_connection() with interleave=None raises."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        self.refuse(how, "interleave")
        return await super().create_connection(protocol_factory, host, port, **how)


@breaks("tcp.accepted-defaults")
class TakesNoneForAContext(_Given):
    """connect_accepted_socket() with ssl=None raises."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **how: Any) -> Any:
        self.refuse(how, "ssl")
        return await super().connect_accepted_socket(protocol_factory, sock, **how)


@breaks("servers.defaults")
class ServesNoGivenNothing(_Given):
    """create_server() with a host and sock=None raises."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        self.refuse(how, "sock")
        return await super().create_server(protocol_factory, host, port, **how)


@breaks("servers.defaults")
class KnowsNoUnspecifiedFamily(_Given):
    """create_server() with family=AF_UNSPEC raises."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        self.refuse(how, "family", 0)
        return await super().create_server(protocol_factory, host, port, **how)


@breaks("udp.defaults")
class TakesNoSockForAnEndpoint(_Given):
    """create_datagram_endpoint() with local_addr and sock=None raises."""

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        self.refuse(how, "sock")
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **how)


@breaks("udp.defaults")
class BroadcastsWhenItIsMentioned(_Given):
    """allow_broadcast=False allows this endpoint to send messages to the broadcast address."""

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        if how.get("allow_broadcast") is False:
            how["allow_broadcast"] = True
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **how)


@breaks("unix.defaults")
class TakesFalseForAContextOfUnixSockets(_Given):
    """create_unix_connection() with ssl=False raises."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        self.refuse(how, "ssl", False)
        return await super().create_unix_connection(protocol_factory, path, **how)


@breaks("unix.defaults")
class TakesNoSockForAServerOfUnixSockets(_Given):
    """create_unix_server() with a path and sock=None raises."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        self.refuse(how, "sock")
        return await super().create_unix_server(protocol_factory, path, **how)
