"""Broken loops of several chapters: work, connections and protocols that come to nothing, or too late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("executors.late-result-is-quiet")
class HandsResultsToClosedLoops(Stock):
    """The result of work in an executor is handed to the loop without a look whether it is closed."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is None:
            return super().run_in_executor(executor, func, *args)
        answer = self.create_future()

        def take(work: Future[Any]) -> None:
            if answer.done():
                return
            if error := work.exception():
                answer.set_exception(error)
            else:
                answer.set_result(work.result())

        work = executor.submit(func, *args)
        work.add_done_callback(lambda done: self.call_soon_threadsafe(take, done))
        return answer


@breaks("servers.failing-connection-made")
class FailingConnectionsEndServers(Stock):
    """A server closes when connection_made() of a connection fails."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            made = protocol.connection_made

            def connection_made(transport: Any) -> None:
                try:
                    made(transport)
                except Exception:
                    server.close()
                    raise

            protocol.connection_made = connection_made
            return protocol

        server = await super().create_server(make, *args, **kwargs)
        return server


def _or_else(factory: Callable[[], Any], instead: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        try:
            return factory()
        except LookupError:
            return instead()

    return make


@breaks("resources.failing-factories")
class PipesNeedNoProtocol(Stock):
    """connect_read_pipe() goes on with a protocol of its own if protocol_factory fails."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        return await super().connect_read_pipe(_or_else(protocol_factory, asyncio.Protocol), pipe)


@breaks("resources.failing-factories")
class NamesTheErrorAnew(Stock):
    """create_unix_connection() raises another exception if protocol_factory fails."""

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def refuse() -> None:
            raise RuntimeError("there is no protocol")

        return await super().create_unix_connection(_or_else(protocol_factory, refuse), *args, **kwargs)


@breaks("resources.failing-factories")
class KeepsSocketsWithoutProtocol(Stock):
    """connect_accepted_socket() works on a duplicate of the socket, which stays open if protocol_factory fails."""

    kept: list[Any]

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        self.kept = [*getattr(self, "kept", []), sock.dup()]
        transport, protocol = await super().connect_accepted_socket(protocol_factory, sock, **kwargs)
        self.kept.pop().close()
        return transport, protocol


@breaks("executors.exits")
class WorkIsNotToExit(Stock):
    """SystemExit of work in an executor becomes a RuntimeError."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def run() -> Any:
            try:
                return func(*args)
            except SystemExit:
                raise RuntimeError("the work wanted to exit") from None

        return super().run_in_executor(executor, run)


@breaks("executors.exits")
class OddErrorsAreResults(Stock):
    """An exception of work that is none of Exception is a result."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def run() -> Any:
            try:
                return func(*args)
            except Exception:
                raise
            except BaseException as error:
                return error.args

        return super().run_in_executor(executor, run)
