"""Broken loops of the chapter `debug`: what debug mode asks of callables and arguments."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("debug.any-callable")
class NamesItsSignalHandlers(Stock):
    """In debug mode the callback of a signal must have a name."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        if self.get_debug():
            repr(callback.__name__)
        super().add_signal_handler(sig, callback, *args)


@breaks("debug.any-callable")
class NamesTheWorkOfItsThreads(Stock):
    """In debug mode the function of run_in_executor() must have a name."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if self.get_debug():
            repr(func.__qualname__)
        return super().run_in_executor(executor, func, *args)


@breaks("debug.any-argument")
class ShowsItsPrograms(Stock):
    """In debug mode the arguments of a program are joined as strings."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self.get_debug():
            " ".join(args)
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("debug.any-argument")
class ShowsItsCommands(Stock):
    """In debug mode a shell command must be a string."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        if self.get_debug():
            repr("/bin/sh -c " + cmd)
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("debug.any-argument")
class NamesItsPipes(Stock):
    """In debug mode the file object of a pipe must have a name."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if self.get_debug():
            repr(pipe.name)
        return await super().connect_read_pipe(protocol_factory, pipe)
