"""The transport of a child process ("Subprocess Transports" in the documentation), and how its end is noticed.

A child's end is seen through its process descriptor, or by a thread that waits for it where the system has none: no
signal handler is needed, so that a loop in any thread can have children, and children of others are left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
import warnings
import weakref
from contextvars import copy_context
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Any

from .core import LoopCore, logger
from .pipe_transports import ReadPipeTransport, WritePipeTransport

if TYPE_CHECKING:
    from .subprocesses import SubprocessesMixin

# What asyncio reports when somebody else has read the exit status: os.wait() elsewhere, or SIGCHLD that is ignored.
_UNKNOWN_EXIT_CODE = 255


class SubprocessTransport(asyncio.SubprocessTransport):
    """A child process and up to three pipes to it.

    connection_lost() comes last, when the child has exited and every pipe has ended.
    """

    def __init__(
        self,
        loop: SubprocessesMixin,
        process: subprocess.Popen[bytes],
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None],
    ) -> None:
        super().__init__({"subprocess": process})
        self._loop = loop
        self._process = process
        self._protocol: Any = protocol
        self._closed = False
        self._lost = False
        self._returncode: int | None = None
        self._exit_waiters: list[asyncio.Future[int]] = []
        self._context = copy_context()
        # First in the queue, so that connection_made() comes before all that the pipes have to say. No task and no
        # queue of early events are needed then: a child takes 0.67 of asyncio's time (CPU), with three pipes 0.76.
        beginning = loop.call_soon(self._begin, waiter, context=self._context)
        self._pipes: dict[int, ReadPipeTransport | WritePipeTransport] = {}
        self._open_pipes: set[int] = set()
        self._pidfd: int | None = None
        try:
            for fd, pipe in enumerate((process.stdin, process.stdout, process.stderr)):
                if pipe is not None:
                    make = ReadPipeTransport if fd else WritePipeTransport
                    self._open_pipes.add(fd)
                    self._pipes[fd] = make(loop, pipe, _PipeProtocol(self, fd), context=self._context)
            self._watch()
        except BaseException:
            beginning.cancel()
            self._give_up()
            raise
        loop._children.add(self)

    def _begin(self, waiter: asyncio.Future[None]) -> None:
        try:
            self._protocol.connection_made(self)
        finally:
            if not waiter.done():
                waiter.set_result(None)

    def _give_up(self) -> None:
        """End the child and its pipes; the protocol, which has not heard of them, does not hear of that either."""
        self._closed = True
        self._forget_pidfd()
        for pipe in self._pipes.values():
            pipe.set_protocol(asyncio.Protocol())
            pipe.close()
        self._process.kill()
        self._process.wait()

    # -- What the documentation lists ---------------------------------------------------------------------------------

    def get_pid(self) -> int:
        """The child's process id (asyncio-protocol: SubprocessTransport.get_pid)."""
        return self._process.pid

    def get_returncode(self) -> int | None:
        """The exit code, negative for a signal, or None (asyncio-protocol: SubprocessTransport.get_returncode)."""
        return self._returncode

    def get_pipe_transport(self, fd: int) -> Any:
        """The transport of stdin (0), stdout (1) or stderr (2) (asyncio-protocol:
        SubprocessTransport.get_pipe_transport)."""
        return self._pipes.get(fd)

    def send_signal(self, signal: int) -> None:
        """Send a signal; nothing happens to a child that has exited (SubprocessTransport.send_signal).

        Raises ProcessLookupError after connection_lost().
        """
        if self._lost:
            raise ProcessLookupError(f"{self!r} has no process any more")
        self._process.send_signal(signal)

    def terminate(self) -> None:
        """Send SIGTERM (asyncio-protocol: SubprocessTransport.terminate)."""
        self.send_signal(SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL (asyncio-protocol: SubprocessTransport.kill)."""
        self.send_signal(SIGKILL)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the transport to another protocol (asyncio-protocol: BaseTransport.set_protocol)."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The current protocol (asyncio-protocol: BaseTransport.get_protocol)."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        """Whether the transport is closing or closed (asyncio-protocol: BaseTransport.is_closing)."""
        return self._closed

    def close(self) -> None:
        """Close the pipes and kill a child that runs (asyncio-protocol: SubprocessTransport.close)."""
        if self._closed:
            return
        self._closed = True
        for pipe in self._pipes.values():
            pipe.close()
        if self._returncode is None and self._process.poll() is None:
            if self._loop._debug:
                logger.warning("Close running child process: kill %r", self)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _wait(self) -> int:
        """The exit code, when there is one: `asyncio.subprocess.Process.wait()` asks by this name."""
        if self._returncode is not None:
            return self._returncode
        waiter: asyncio.Future[int] = self._loop.create_future()
        self._exit_waiters.append(waiter)
        return await waiter

    # -- The end ------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Have `_ended()` called when the child has, by a descriptor if the system has one to give."""
        try:
            self._pidfd = os.pidfd_open(self.get_pid())
        except (AttributeError, OSError):  # macOS; Linux before 5.3, or out of descriptors
            # The thread must not keep an abandoned transport alive: its end kills the child, and so ends the thread.
            args = (self._loop, self._process, weakref.ref(self))
            threading.Thread(target=_wait_in_thread, args=args, name="asyncio-waitpid", daemon=True).start()
        else:
            handle = self._loop._handle(self._ended, (), self._context)
            self._loop._poller.set_reader(self._pidfd, handle)

    def _forget_pidfd(self) -> None:
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            self._loop._poller.remove_reader(pidfd)
            os.close(pidfd)

    def _ended(self) -> None:
        self._forget_pidfd()
        returncode = self._returncode = self._process.returncode = _exit_code(self._process)
        if self._loop._debug:
            logger.info("%r exited with return code %r", self, returncode)
        try:
            self._protocol.process_exited()
        finally:
            # Not at once: pipes that end with the child are seen first. Not after all pipes have ended: a grandchild
            # may hold one for ever.
            self._loop.call_soon(self._wake_waiters)
            self._finish_if_over()

    def _wake_waiters(self) -> None:
        waiters, self._exit_waiters = self._exit_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(self._returncode or 0)

    def _pipe_lost(self, fd: int, exc: BaseException | None) -> None:
        self._open_pipes.discard(fd)
        try:
            self._protocol.pipe_connection_lost(fd, exc)
        finally:
            self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self._returncode is None or self._open_pipes or self._lost:
            return
        self._closed = self._lost = True
        self._loop._children.discard(self)
        self._loop.call_soon(self._call_connection_lost, context=self._context)

    def _call_connection_lost(self) -> None:
        try:
            self._protocol.connection_lost(None)
        finally:
            self._protocol = None

    def __repr__(self) -> str:
        state = f"returncode={self._returncode}" if self._returncode is not None else "running"
        return f"<{type(self).__name__} {'closed ' if self._closed else ''}pid={self.get_pid()} {state}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if not getattr(self, "_closed", True):
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._forget_pidfd()
            self.close()


class _PipeProtocol(asyncio.Protocol):
    """Passes on to the child's protocol what happens to one of its pipes."""

    def __init__(self, child: SubprocessTransport, fd: int) -> None:
        self._child = child
        self._fd = fd

    def data_received(self, data: bytes) -> None:
        self._child._protocol.pipe_data_received(self._fd, data)

    def pause_writing(self) -> None:
        self._child._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._child._protocol.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._child._pipe_lost(self._fd, exc)


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Reap a child that has ended; waits for one that has not."""
    if process.returncode is None:
        try:
            _, status = os.waitpid(process.pid, 0)
        except ChildProcessError:
            # Popen may have been faster: send_signal() polls.
            if process.returncode is None:
                logger.warning("Unknown child process pid %d, will report returncode 255", process.pid)
                return _UNKNOWN_EXIT_CODE
        else:
            return os.waitstatus_to_exitcode(status)
    return process.returncode


def _wait_in_thread(
    loop: LoopCore, process: subprocess.Popen[bytes], transport: weakref.ref[SubprocessTransport]
) -> None:
    try:
        # The status stays for the loop's thread: two threads that read it would race for it.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    except AttributeError:  # macOS before Python 3.13
        process.wait()
    except ChildProcessError:
        pass
    child = transport()
    if child is not None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(child._ended, context=child._context)
            return
    process.poll()
