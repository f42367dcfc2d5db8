"""Broken loops of the chapter `subprocess`: what the transport of a child does."""

from __future__ import annotations

import asyncio
import select
import signal
import subprocess
from collections.abc import Callable
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class TampersWithChildren(Stock):
    """Changes the protocol before it is used, and the transport before it is announced."""

    def tamper(self, protocol: Any) -> None:
        pass

    def patch(self, transport: Any, protocol: Any) -> None:
        pass

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def tampered() -> Any:
            protocol = protocol_factory()
            made = protocol.connection_made

            def connection_made(transport: Any) -> None:
                self.patch(transport, protocol)
                made(transport)

            protocol.connection_made = connection_made
            self.tamper(protocol)
            return protocol

        return await super().subprocess_exec(tampered, *args, **kwargs)


def replaced(target: Any, name: str, replacement: Callable[..., Any]) -> None:
    """The method becomes `replacement(method, *arguments)`."""
    method = getattr(target, name)
    setattr(target, name, lambda *args, **kwargs: replacement(method, *args, **kwargs))


def end_of(protocol: Any) -> list[None]:
    """A list that is empty until connection_lost() of the protocol is called."""
    over: list[None] = []

    def lost(told: Any, exc: Any) -> None:
        over.append(None)
        told(exc)

    replaced(protocol, "connection_lost", lost)
    return over


def hides(transport: Any, name: str) -> None:
    """get_extra_info() of the transport does not know `name`."""
    replaced(
        transport,
        "get_extra_info",
        lambda info, asked, default=None: default if asked == name else info(asked, default),
    )


def raises_without_a_reader(transport: Any) -> None:
    """write() raises BrokenPipeError if nobody reads the pipe any more, and nothing waits that would tell it."""
    number = transport.get_extra_info("pipe").fileno()

    def write(write: Any, data: Any) -> None:
        if not transport.is_closing() and not transport.get_write_buffer_size():
            poller = select.poll()
            poller.register(number, 0)
            if poller.poll(0):
                raise BrokenPipeError
        write(data)

    replaced(transport, "write", write)


def counts_pauses(transport: Any) -> None:
    """As many resumes are needed as there were pauses."""
    pauses: list[bool] = []

    def pause(pause: Any) -> None:
        pauses.append(True)
        pause()

    def resume(resume: Any) -> None:
        if pauses:
            pauses.pop()
        if not pauses:
            resume()

    replaced(transport, "pause_reading", pause)
    replaced(transport, "resume_reading", resume)


def lost_once(protocol: Any) -> Callable[[Any], None]:
    """The protocol's connection_lost(), of which only the first call, whoever makes it, arrives."""
    lost = protocol.connection_lost
    done: list[None] = []

    def once(exc: Any) -> None:
        if not done:
            done.append(None)
            lost(exc)

    protocol.connection_lost = once
    return once


@breaks("subprocess.returns-pair")
class MakesTwoProtocols(Stock):
    """protocol_factory is called twice."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol_factory()
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("subprocess.connection-made")
class AnnouncesChildrenTwice(TampersWithChildren):
    """connection_made() is called twice if standard input is no pipe."""

    def tamper(self, protocol: Any) -> None:
        def twice(made: Any, transport: Any) -> None:
            made(transport)
            if transport.get_pipe_transport(0) is None and transport.get_pipe_transport(1):
                made(transport)

        replaced(protocol, "connection_made", twice)


@breaks("subprocess.connection-made")
class ShellsAreReturnedInAWrapper(Stock):
    """subprocess_shell() returns a wrapper of the transport that connection_made() was given."""

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().subprocess_shell(*args, **kwargs)

        class Wrapper:
            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

        return Wrapper(), protocol


@breaks("subprocess.pipes-when-made")
class AnnouncesBeforeThePipes(TampersWithChildren):
    """During connection_made() there are no pipe transports."""

    def tamper(self, protocol: Any) -> None:
        def early(made: Any, transport: Any) -> None:
            get = transport.get_pipe_transport
            transport.get_pipe_transport = lambda fd: None
            made(transport)
            transport.get_pipe_transport = get

        replaced(protocol, "connection_made", early)


@breaks("subprocess.get-pid")
class KnowsTheWrongPid(TampersWithChildren):
    """get_pid() is the number after the child's, as if a helper had forked it."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if transport.get_pipe_transport(0) is None:
            replaced(transport, "get_pid", lambda pid: pid() - 1)


@breaks("subprocess.returncode-none")
class BeginsWithCodeZero(TampersWithChildren):
    """get_returncode() is 0 while the child runs."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_returncode", lambda code: code() or 0)


@breaks("subprocess.returncode")
class CodesAreSigned(TampersWithChildren):
    """An exit code above 128 is negative."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_returncode", lambda code: c - 256 if (c := code()) and c > 128 else c)


@breaks("subprocess.returncode-signal")
class SignalsAreShellCodes(TampersWithChildren):
    """A child that was killed by SIGHUP has code 128 + N."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_returncode", lambda code: 128 + signal.SIGHUP if (c := code()) == -1 else c)


class _WithoutPausing:
    """A transport that cannot be paused."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    def __getattr__(self, name: str) -> Any:
        if name == "pause_reading":
            raise AttributeError(name=name, obj=self)
        return getattr(self.transport, name)


@breaks("subprocess.pipe-transports")
class StderrCannotBePaused(TampersWithChildren):
    """The transport of standard error lacks a method of ReadTransport."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(
            transport,
            "get_pipe_transport",
            lambda get, fd: _WithoutPausing(get(fd)) if fd == 2 and get(fd) else get(fd),
        )


@breaks("subprocess.no-pipe-transport")
class UnknownPipesAreKeyErrors(TampersWithChildren):
    """get_pipe_transport() of an unknown number raises KeyError."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_pipe_transport", lambda get, fd: get(fd) if fd < 3 else {}[fd])


@breaks("subprocess.extra-info")
class TellsNoSubprocess(TampersWithChildren):
    """get_extra_info('subprocess') is None."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_extra_info", lambda get, name, default=None: default)


@breaks("subprocess.get-protocol")
class HidesTheProtocolOfChildren(TampersWithChildren):
    """get_protocol() is not implemented."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def absent(_get: Any) -> None:
            raise NotImplementedError

        replaced(transport, "get_protocol", absent)


@breaks("subprocess.set-protocol")
class KeepsTheFirstProtocolOfChildren(TampersWithChildren):
    """set_protocol() changes what get_protocol() returns, and nothing else."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def remember(_set: Any, new: Any) -> None:
            transport.get_protocol = lambda: new

        replaced(transport, "set_protocol", remember)


@breaks("subprocess.set-protocol")
class NamesTheFirstProtocolOfChildren(TampersWithChildren):
    """After set_protocol(), get_protocol() still returns the protocol for which the child was started."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.get_protocol = lambda: protocol


@breaks("subprocess.send-signal")
class EverySignalIsSigterm(TampersWithChildren):
    """send_signal() sends SIGTERM."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "send_signal", lambda send, _signal: send(signal.SIGTERM))


@breaks("subprocess.terminate")
class TerminateKills(TampersWithChildren):
    """terminate() sends SIGKILL."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "terminate", lambda _terminate: transport.send_signal(signal.SIGKILL))


@breaks("subprocess.kill")
class KillTerminates(TampersWithChildren):
    """kill() sends SIGINT."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "kill", lambda _kill: transport.send_signal(signal.SIGINT))


@breaks("subprocess.signal-after-exit")
class SignalsTheDead(TampersWithChildren):
    """A signal to a child that is gone is an error of another kind."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def late(terminate: Any) -> None:
            try:
                terminate()
            except ProcessLookupError:
                raise subprocess.SubprocessError("no such child") from None

        replaced(transport, "terminate", late)
