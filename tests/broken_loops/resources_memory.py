"""Broken loops of the chapter `resources`: loops that remember too much, and loops that do not warn."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

from reference_loop import EventLoop
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams

Stock = asyncio.SelectorEventLoop


@breaks("resources.protocol-forgotten")
class RemembersProtocols(OverStreams):
    """A transport that is closed still refers to its protocol."""

    class Stream(StreamTransport):
        before: Any = None

        def _release(self) -> None:
            self.before = self._protocol
            super()._release()


@breaks("resources.failure-forgotten")
class ErrorsOfConnectionsStay(Stock):
    """The exception of a connection that fails is in a variable of a frame of its own traceback."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        try:
            return await super().create_connection(*args, **kwargs)
        except OSError as error:
            kept = error  # noqa: F841 (what is wrong)
            raise


@breaks("resources.failure-forgotten")
class ErrorsOfPathsStay(Stock):
    """The exception of a connection to a path that fails is in a variable of a frame of its own traceback."""

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        try:
            return await super().create_unix_connection(*args, **kwargs)
        except OSError as error:
            kept = error  # noqa: F841 (what is wrong)
            raise


class _Remembers(EventLoop):
    """Has a list for what it should forget; cleared when it is closed."""

    def remember(self, thing: object) -> None:
        self.__dict__.setdefault("things", []).append(thing)

    def close(self) -> None:
        self.__dict__.pop("things", None)
        super().close()


@breaks("resources.removed-watcher-forgotten")
class RemembersWatchers(_Remembers):
    """The callback of a descriptor that is watched for room is kept until the loop is closed."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        self.remember(callback)
        super().add_writer(fd, callback, *args)


@breaks("resources.cancelled-timer-forgotten")
class RemembersTimers(_Remembers):
    """The callback of a timer is kept until the loop is closed."""

    def call_later(self, delay: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        self.remember(callback)
        return super().call_later(delay, callback, *args, context=context)


@breaks("resources.result-forgotten")
class RemembersTheLastResult(_Remembers):
    """What run_until_complete() has returned last is kept."""

    def run_until_complete(self, future: Any) -> Any:
        result = super().run_until_complete(future)
        if isinstance(result, tuple):
            self.remember(result)
        return result


@breaks("resources.executor-forgotten")
class RemembersWork(_Remembers):
    """What run_in_executor() was given is kept until the loop is closed."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self.remember(args)
        return super().run_in_executor(executor, func, *args)


_LOOPS: list[asyncio.AbstractEventLoop] = []


@breaks("resources.closed-loop-forgotten")
class IsRegisteredForEver(EventLoop):
    """The module has a list of all loops."""

    def __init__(self) -> None:
        super().__init__()
        _LOOPS.append(self)


@breaks("resources.unclosed-loop")
class DiesInSilence(EventLoop):
    """A loop that was not closed is freed without a warning."""

    def __del__(self) -> None:
        if not self.is_closed():
            self.close()


@breaks("resources.unclosed-loop")
class WarnsInAnyCase(EventLoop):
    """A loop that was closed warns when it is freed."""

    def __del__(self) -> None:
        warnings.warn("unclosed event loop", ResourceWarning, source=self, stacklevel=1)
        super().__del__()


@breaks("resources.unclosed-transport")
class ClosesTransportsInSilence(EventLoop):
    """close() of the loop closes the descriptors of transports that were not closed, without a warning."""

    def close(self) -> None:
        for transport in list(self._transports.values()):
            sock, transport._sock = transport._sock, None
            if sock is not None:
                sock.close()
        super().close()


@breaks("resources.unclosed-transport")
class PipesWarnOfNothing(EventLoop):
    """close() of the loop closes the pipes that were not closed, without a warning."""

    def close(self) -> None:
        for transport in list(self._transports.values()):
            pipe = vars(transport).pop("_pipe", None)
            if pipe is not None:
                transport._pipe = None
                pipe.close()
        super().close()


@breaks("resources.unclosed-transport")
class ReadPipesLeaveItToTheFile(asyncio.SelectorEventLoop):
    """A read pipe that is freed without having been closed closes its file in silence: only the file might warn."""

    def _make_read_pipe_transport(self, pipe: Any, protocol: Any, waiter: Any = None, extra: Any = None) -> Any:
        transport = super()._make_read_pipe_transport(pipe, protocol, waiter, extra)  # type: ignore[misc]
        transport.__class__ = _Silent
        return transport


class _Silent(asyncio.unix_events._UnixReadPipeTransport):  # type: ignore[name-defined,misc]
    def __del__(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
