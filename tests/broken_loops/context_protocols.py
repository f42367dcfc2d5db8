"""Broken loops of the chapter `context`: protocols of servers, datagram endpoints and pipes."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.pipes import TampersWithPipes
from tests.broken_loops.subprocess_transport import replaced


class _Forgets(asyncio.SelectorEventLoop):
    """What is made by `forgets` is made, and called, in an empty context."""

    def forgets(self, making: Any) -> Any:
        return self.create_task(making, context=contextvars.Context())


@breaks("context.server-protocols")
class AcceptsWithoutAContext(_Forgets):
    """The protocols of accepted connections are called in an empty context."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        return await self.forgets(super().create_server(*args, **kwargs))


@breaks("context.datagram-protocols")
class DatagramsHaveNoContext(_Forgets):
    """The protocols of datagram endpoints are called in an empty context."""

    async def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> Any:
        return await self.forgets(super().create_datagram_endpoint(*args, **kwargs))


@breaks("context.pipe-protocols")
class PipesHaveNoContext(_Forgets):
    """The protocols of pipes that are read are called in an empty context."""

    async def connect_read_pipe(self, *args: Any, **kwargs: Any) -> Any:
        return await self.forgets(super().connect_read_pipe(*args, **kwargs))


@breaks("context.pipe-protocols")
class EndsOfPipesHaveNoContext(TampersWithPipes):
    """eof_received() of a pipe's protocol is called in an empty context."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "eof_received", lambda told: contextvars.Context().run(told))


def _elsewhere(protocol_factory: Any) -> Any:
    """A factory that makes the same protocols in an empty context."""
    return lambda: contextvars.Context().run(protocol_factory)


@breaks("context.protocol-callbacks")
class ProtocolsOfConnectionsAreMadeElsewhere(asyncio.SelectorEventLoop):
    """create_connection() calls its factory in an empty context."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        return await super().create_connection(_elsewhere(protocol_factory), *args, **how)


@breaks("context.server-protocols")
class ProtocolsOfServersAreMadeElsewhere(asyncio.SelectorEventLoop):
    """create_server() calls its factory in an empty context."""

    async def create_server(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        return await super().create_server(_elsewhere(protocol_factory), *args, **how)


@breaks("context.datagram-protocols")
class ProtocolsOfDatagramsAreMadeElsewhere(asyncio.SelectorEventLoop):
    """create_datagram_endpoint() calls its factory in an empty context."""

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        return await super().create_datagram_endpoint(_elsewhere(protocol_factory), *args, **how)
