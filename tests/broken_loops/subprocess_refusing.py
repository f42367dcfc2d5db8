"""Broken loops of the chapter `subprocess`: arguments that are refused too late, or not, or that should not be."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_keywords import Keywords, Shell

Stock = asyncio.SelectorEventLoop


@breaks("subprocess.exec-text-refused")
class KnowsLinesOnly(Keywords):
    """subprocess_exec() takes bufsize=1, for buffering by lines, and does nothing with it."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("bufsize") == 1:
            del kwargs["bufsize"]


@breaks("subprocess.exec-text-refused")
class RefusesWhatRuns(Stock):
    """subprocess_exec() refuses text when the program has run."""

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("text"):
            subprocess.run(args[1:], check=False)
        return await super().subprocess_exec(*args, **kwargs)


@breaks("subprocess.shell-text-refused")
class ShellsBufferLines(Shell):
    """subprocess_shell() takes bufsize=1, for buffering by lines, and does nothing with it."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("bufsize") == 1:
            del kwargs["bufsize"]
        return cmd


@breaks("subprocess.shell-text-refused")
class RefusesCommandsThatRun(Stock):
    """subprocess_shell() refuses an encoding when the command has run."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        if kwargs.get("encoding"):
            subprocess.run(cmd, shell=True, check=False)
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.shell-type")
class CommandsAreBuffers(Shell):
    """A bytearray is a command of the shell."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        return bytes(cmd) if isinstance(cmd, bytearray) else cmd


@breaks("subprocess.shell-lines")
class CommandsSaySomething(Shell):
    """An empty command is refused."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if not cmd:
            raise ValueError("there is nothing to run")
        return cmd


@breaks("subprocess.file-like")
class FilesHoldBytes(Keywords):
    """A file that is open for text is refused."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if hasattr(kwargs.get("stdout"), "encoding"):
            raise TypeError("the standard streams of a child carry bytes")


@breaks("subprocess.file-like")
class SocketsAreNoFiles(Keywords):
    """A socket is refused as standard input."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if hasattr(kwargs.get("stdin"), "recv"):
            raise TypeError("a file was expected")
