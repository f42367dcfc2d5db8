"""Starting child processes ("Running subprocesses" in the documentation), by `subprocess.Popen`.

Starting takes as long as it takes Popen to see the child's exec() succeed or fail; the loop waits for nothing else.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any, TypeVar

from .children import SubprocessTransport
from .core import LoopCore, logger

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

# Arguments of Popen that have one value only.
_FIXED = {"universal_newlines": False, "text": False, "encoding": None, "errors": None, "bufsize": 0}


class SubprocessesMixin(LoopCore):
    """subprocess_exec, subprocess_shell."""

    def __init__(self) -> None:
        super().__init__()
        self._children: set[SubprocessTransport] = set()  # that have not ended

    async def subprocess_exec(
        self,
        protocol_factory: Callable[[], ProtocolT],
        program: Any,
        *args: Any,
        stdin: Any = subprocess.PIPE,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        shell: bool = False,
        **kwargs: Any,
    ) -> tuple[SubprocessTransport, ProtocolT]:
        """Start a program (asyncio-eventloop: loop.subprocess_exec); other keyword arguments go to Popen.

        Raises ValueError for the arguments of Popen that would make its pipes buffered or textual.
        """
        if shell:
            raise ValueError("shell must be False: use subprocess_shell()")
        return await self._spawn(protocol_factory, (program, *args), False, stdin, stdout, stderr, kwargs)

    async def subprocess_shell(
        self,
        protocol_factory: Callable[[], ProtocolT],
        cmd: bytes | str,
        *,
        stdin: Any = subprocess.PIPE,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        shell: bool = True,
        **kwargs: Any,
    ) -> tuple[SubprocessTransport, ProtocolT]:
        """Start a shell command (asyncio-eventloop: loop.subprocess_shell)."""
        if not isinstance(cmd, (bytes, str)):
            raise ValueError(f"cmd must be a string, not {cmd!r}")
        if not shell:
            raise ValueError("shell must be True: use subprocess_exec()")
        return await self._spawn(protocol_factory, cmd, True, stdin, stdout, stderr, kwargs)

    async def _spawn(
        self,
        protocol_factory: Callable[[], ProtocolT],
        args: Any,
        shell: bool,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        kwargs: dict[str, Any],
    ) -> tuple[SubprocessTransport, ProtocolT]:
        for name, only in _FIXED.items():
            if kwargs.pop(name, None) not in (None, only):
                raise ValueError(f"{name} must be {only}: the pipes of a child carry bytes and are not buffered")
        protocol = protocol_factory()
        process = subprocess.Popen(args, shell=shell, stdin=stdin, stdout=stdout, stderr=stderr, bufsize=0, **kwargs)
        if self._debug:
            # Without the arguments: they are long, and may contain a password.
            logger.debug("process %r created: pid %d", args if shell else args[0], process.pid)
        waiter: asyncio.Future[None] = self.create_future()
        transport = SubprocessTransport(self, process, protocol, waiter)
        try:
            await waiter
        except BaseException:
            transport.close()
            await transport._wait()
            raise
        return transport, protocol

    def _abandon_children(self) -> None:
        """For close(): nobody watches them any more. They run on as long as their transports are kept."""
        for child in self._children:
            child._forget_pidfd()
        self._children.clear()
