"""Broken loops of the chapter `subprocess`: what a child has of its parent, and how its program is found."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from asyncio import unix_events
from typing import Any
from unittest import mock

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
_Child: Any = unix_events._UnixSubprocessTransport  # type: ignore[attr-defined]  # what is broken is the stock loop's own
_AT_IMPORT = dict(os.environ)


class _Starts(Stock):
    """Changes what every child is started with: `given` are all the arguments of subprocess.Popen."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        raise NotImplementedError

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        program = list(args)
        self.changed(program, kwargs)
        return await super().subprocess_exec(protocol_factory, *program, **kwargs)


class _Shells(Stock):
    """Changes what every shell command is started with."""

    def changed(self, given: dict[str, Any]) -> None:
        raise NotImplementedError

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        self.changed(kwargs)
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.shell-streams")
class ShellsWriteToTheTerminal(_Shells):
    """stdout=DEVNULL of a shell command is taken for None."""

    def changed(self, given: dict[str, Any]) -> None:
        if given.get("stdout") == subprocess.DEVNULL:
            given["stdout"] = None


@breaks("subprocess.shell-streams")
class ShellsKeepTheirErrors(_Shells):
    """stderr=STDOUT of a shell command means nothing if stdout is None."""

    def changed(self, given: dict[str, Any]) -> None:
        if given.get("stderr") == subprocess.STDOUT and given.get("stdout", 0) is None:
            given["stderr"] = None


@breaks("subprocess.shell-streams")
class ShellsReadTheTerminal(_Shells):
    """stdin=DEVNULL of a shell command is taken for None."""

    def changed(self, given: dict[str, Any]) -> None:
        if given.get("stdin") == subprocess.DEVNULL:
            given["stdin"] = None


@breaks("subprocess.constant-devnull")
class DevnullIsInherited(_Starts):
    """stdin=DEVNULL is taken for None, which often is the same."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        if given.get("stdin") == subprocess.DEVNULL:
            given["stdin"] = None


@breaks("subprocess.inherits")
class ChildrenLeadGroups(_Starts):
    """Every child leads a process group of its own."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        if not given.get("start_new_session") and given.get("process_group") is None:
            given["process_group"] = 0


@breaks("subprocess.inherits")
class ChildrenHaveAUsualUmask(_Starts):
    """Without umask the mask of a child is 022."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        given.setdefault("umask", 0o022)


@breaks("subprocess.inherits")
class ShellsStartAtTheRoot(_Shells):
    """Without cwd a shell command runs in the root directory."""

    def changed(self, given: dict[str, Any]) -> None:
        if given.get("cwd") is None:
            given["cwd"] = "/"


@breaks("subprocess.inherits")
class ShellsHaveAnOldEnvironment(_Shells):
    """Without env a shell command has the environment that was when the loop was imported."""

    def changed(self, given: dict[str, Any]) -> None:
        if given.get("env") is None:
            given["env"] = _AT_IMPORT


@breaks("subprocess.inherits")
class EmptyVariablesAreDropped(_Shells):
    """A shell command gets no variable whose value is empty."""

    def changed(self, given: dict[str, Any]) -> None:
        env = given.get("env")
        given["env"] = {name: value for name, value in (os.environ if env is None else env).items() if value}


@breaks("subprocess.default-actions")
class ProtectsItsChildren(_Starts):
    """Every child ignores SIGINT, so that Ctrl-C ends the parent only."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        function = given.get("preexec_fn")

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if function is not None:
                function()

        given["preexec_fn"] = prepare


@breaks("subprocess.path-and-directory")
class SearchesThePathOfTheParent(_Starts):
    """A program is searched with this process's PATH, whatever env has."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        if isinstance(args[0], str) and os.sep not in args[0] and not given.get("executable"):
            given["executable"] = shutil.which(args[0])


@breaks("subprocess.path-and-directory")
class SearchesTheDirectoryOfTheChild(_Starts):
    """A program that is not on the PATH is taken from the directory cwd."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        if given.get("cwd") and isinstance(args[0], str) and os.sep not in args[0]:
            path = (given.get("env") or os.environ).get("PATH")
            if shutil.which(args[0], path=path) is None:
                given["executable"] = os.path.join(os.fsdecode(given["cwd"]), args[0])


@breaks("subprocess.other-keywords")
class RefusesKeywordsOfWindows(_Starts):
    """Keywords that have a meaning on Windows only are refused, also with their defaults."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        if "startupinfo" in given or "creationflags" in given:
            raise TypeError("these are for Windows")


@breaks("subprocess.other-keywords")
class PipesHaveTheirUsualSize(_Starts):
    """pipesize is accepted and ignored."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        given.pop("pipesize", None)


@breaks("subprocess.other-keywords")
class GroupsAreSessions(_Starts):
    """process_group makes a session, too."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        if given.get("process_group") is not None:
            given.update(process_group=None, start_new_session=True)


@breaks("subprocess.identity")
class ChildrenKeepTheirPrivileges(_Starts):
    """user, group and extra_groups are accepted and ignored."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        for name in ("user", "group", "extra_groups"):
            given.pop(name, None)


@breaks("subprocess.preexec-fn")
class PreparesHere(_Starts):
    """preexec_fn is called in this process, before the fork."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        function = given.pop("preexec_fn", None)
        if function is not None:
            function()


@breaks("subprocess.streams-block")
class FilesBecomeNonBlocking(_Starts):
    """A file object that is given for a stream is set to non-blocking mode."""

    def changed(self, args: list[Any], given: dict[str, Any]) -> None:
        for name in ("stdin", "stdout", "stderr"):
            if hasattr(given.get(name), "fileno"):
                os.set_blocking(given[name].fileno(), False)


class _Own(Stock):
    """Makes transports of its own for children."""

    child: Any = _Child

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> Any:
        with mock.patch.object(unix_events, "_UnixSubprocessTransport", self.child):
            return await super()._make_subprocess_transport(*args, **kwargs)  # type: ignore[misc]


class _NoReason(_Child):  # type: ignore[misc]
    def _pipe_connection_lost(self, fd: int, exc: Any) -> None:
        super()._pipe_connection_lost(fd, None)


@breaks("subprocess.stdin-lost-reason")
class PipesOfChildrenHaveNoReason(_Own):
    """exc of pipe_connection_lost() is always None."""

    child = _NoReason


class _FloatCodes(_Child):  # type: ignore[misc]
    def get_returncode(self) -> Any:
        code = super().get_returncode()
        return float(code) if code is not None and code < 0 else code


@breaks("subprocess.returncode-signal")
class CodesOfSignalsAreFloats(_Own):
    """The return code of a child that a signal has ended is a float."""

    child = _FloatCodes


class _FalseCodes(_Child):  # type: ignore[misc]
    def get_returncode(self) -> Any:
        code = super().get_returncode()
        return False if code == 0 else code


@breaks("subprocess.returncode")
class SuccessIsFalse(_Own):
    """The return code of a child that has succeeded is False."""

    child = _FalseCodes


class _PopenUntold(_Child):  # type: ignore[misc]
    def _process_exited(self, returncode: int) -> None:
        popen = self._proc
        super()._process_exited(returncode)
        popen.returncode = None


@breaks("subprocess.extra-info")
class PopenIsNotTold(_Own):
    """The Popen object of a child is not told of its return code, which somebody else has waited for."""

    child = _PopenUntold


class _NoProtocolLeft(_Child):  # type: ignore[misc]
    def get_protocol(self) -> Any:
        return None if self._closed else super().get_protocol()


@breaks("subprocess.get-protocol")
class ClosedChildrenHaveNoProtocol(_Own):
    """get_protocol() of a transport that is closing is None, though its protocol is still to be called."""

    child = _NoProtocolLeft


class _Exchanges(_Child):  # type: ignore[misc]
    def _pipe_connection_lost(self, fd: int, exc: Any) -> None:
        shell = isinstance(self._proc.args, str)
        super()._pipe_connection_lost(3 - fd if shell and fd and len(self._pipes) == 3 else fd, exc)


@breaks("subprocess.pipe-lost-early")
class EndsOfAShellAreExchanged(_Own):
    """The ends of stdout and stderr of a shell command are told with each other's number."""

    child = _Exchanges


class _ZeroEnds(_Child):  # type: ignore[misc]
    def send_signal(self, signal: int) -> None:
        super().send_signal(signal or 15)


@breaks("subprocess.send-signal")
class ZeroIsNoSignal(_Own):
    """send_signal(0) sends SIGTERM."""

    child = _ZeroEnds
