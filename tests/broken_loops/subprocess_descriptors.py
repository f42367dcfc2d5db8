"""Broken loops of the chapter `subprocess`: this process's own standard descriptors, given or inherited."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_keywords import Keywords, Shell
from tests.broken_loops.subprocess_transport import TampersWithChildren, lost_once, replaced


@breaks("subprocess.own-descriptors")
class CannotExchangeDescriptors(Keywords):
    """Descriptors are copied one by one, over one that is needed still."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stdout") == 2 and kwargs.get("stderr") == 1:
            kwargs["stderr"] = 2


@breaks("subprocess.own-descriptors")
class DescriptorZeroIsNothing(Keywords):
    """stdout=0 is taken for None."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if "stdout" in kwargs:
            kwargs["stdout"] = kwargs["stdout"] or None


@breaks("subprocess.own-descriptors")
class DescriptorOneIsTheChildsOutput(Keywords):
    """stderr=1 is taken for STDOUT."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stderr") == 1:
            kwargs["stderr"] = subprocess.STDOUT


def _unblocked(kwargs: dict[str, Any]) -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if kwargs.get(name, subprocess.PIPE) is None:
            os.set_blocking(number, False)


@breaks("subprocess.inherited-block")
class InheritedStreamsDoNotBlock(Keywords):
    """Standard streams that a child inherits are set to non-blocking mode."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        _unblocked(kwargs)


@breaks("subprocess.inherited-block")
class InheritedStreamsOfShellsDoNotBlock(Shell):
    """Standard streams that a shell inherits are set to non-blocking mode."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        _unblocked(kwargs)
        return cmd


@breaks("subprocess.pass-fds")
class PassesOnForEver(Keywords):
    """Descriptors that a child is passed become inheritable, and stay so."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for number in kwargs.get("pass_fds", ()):
            os.set_inheritable(number, True)


@breaks("subprocess.pass-fds")
class PassesWhatBlocks(Keywords):
    """Descriptors that a child is passed are set to blocking mode, and stay so."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for number in kwargs.get("pass_fds", ()):
            os.set_blocking(number, True)


@breaks("subprocess.close-unread")
class CloseReadsTheRest(TampersWithChildren):
    """close() passes on what is in the pipes."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(2)

        def close(close: Any) -> None:
            if pipe is not None and not pipe.is_closing():
                with contextlib.suppress(BlockingIOError):
                    protocol.pipe_data_received(2, os.read(pipe.get_extra_info("pipe").fileno(), 100))
            close()

        replaced(transport, "close", close)


@breaks("subprocess.shell-streams")
class ShellsCloseWhatTheyAreGiven(Shell):
    """A file that a shell command is given is closed here when the shell has it."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        started = await super().subprocess_shell(protocol_factory, cmd, **kwargs)
        for name in ("stdin", "stdout", "stderr"):
            if hasattr(kwargs.get(name), "close"):
                kwargs[name].close()
        return started

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        return cmd


@breaks("subprocess.exited-before-lost")
class ChildrenAreLostWithTheirPipes(TampersWithChildren):
    """connection_lost() is called when the last of three pipes has ended, though the child runs."""

    def tamper(self, protocol: Any) -> None:
        once = lost_once(protocol)
        ended: list[int] = []

        def lost(told: Any, fd: int, exc: Any) -> None:
            told(fd, exc)
            ended.append(fd)
            if len(ended) == 3:
                once(None)

        replaced(protocol, "pipe_connection_lost", lost)
