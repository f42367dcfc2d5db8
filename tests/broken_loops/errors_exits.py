"""Broken loops of the chapter `errors`: SystemExit and KeyboardInterrupt of protocols do not end the program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams

Stock = asyncio.SelectorEventLoop


def _reporting(loop: asyncio.AbstractEventLoop, factory: Callable[[], Any], *methods: str) -> Callable[[], Any]:
    """A protocol factory: what these methods of its protocols raise, whatever it is, goes to the exception handler."""

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            try:
                return method(*args)
            except BaseException as error:
                loop.call_exception_handler({"message": "a protocol failed", "exception": error})

        return call

    def make() -> Any:
        protocol = factory()
        for method in methods:
            setattr(protocol, method, guarded(getattr(protocol, method)))
        return protocol

    return make


@breaks("errors.exits-of-protocols")
class ExitsOfDataEndTheConnection(OverStreams):
    """SystemExit of data_received() is taken for an error of that connection."""

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            try:
                super()._read_ready()
            except (SystemExit, KeyboardInterrupt) as exc:
                self._fail(exc, "data_received() failed")


@breaks("errors.exits-of-protocols")
class ExitsWhenMadeAreReported(Stock):
    """SystemExit of connection_made() is reported, and the connection goes on."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_connection(_reporting(self, factory, "connection_made"), *args, **kwargs)


@breaks("errors.exits-of-protocols")
class ExitsAtTheEndAreReported(Stock):
    """SystemExit of eof_received() and of connection_lost() is reported."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        made = _reporting(self, factory, "eof_received", "connection_lost")
        return await super().create_connection(made, *args, **kwargs)


@breaks("errors.exits-of-protocols")
class ExitsOfDatagramsAreReported(Stock):
    """SystemExit of datagram_received() is reported."""

    async def create_datagram_endpoint(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        made = _reporting(self, factory, "datagram_received")
        return await super().create_datagram_endpoint(made, *args, **kwargs)


@breaks("errors.exits-of-protocols")
class ExitsOfPipesAreReported(EventLoop):
    """SystemExit of the protocol of a pipe is reported."""

    async def connect_read_pipe(self, factory: Any, pipe: Any) -> Any:
        return await super().connect_read_pipe(_reporting(self, factory, "data_received"), pipe)
