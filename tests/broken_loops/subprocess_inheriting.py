"""Broken loops of the chapter `subprocess`: what a child has of its parent, and how its program is found."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_keywords import Keywords, Shell
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced

Stock = asyncio.SelectorEventLoop
_AT_IMPORT = dict(os.environ)


@breaks("subprocess.shell-streams")
class ShellsWriteToTheTerminal(Shell):
    """stdout=DEVNULL of a shell command is taken for None."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("stdout") == subprocess.DEVNULL:
            kwargs["stdout"] = None
        return cmd


@breaks("subprocess.shell-streams")
class ShellsKeepTheirErrors(Shell):
    """stderr=STDOUT of a shell command means nothing if stdout is None."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("stderr") == subprocess.STDOUT and kwargs.get("stdout", 0) is None:
            kwargs["stderr"] = None
        return cmd


@breaks("subprocess.shell-streams")
class ShellsReadTheTerminal(Shell):
    """stdin=DEVNULL of a shell command is taken for None."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("stdin") == subprocess.DEVNULL:
            kwargs["stdin"] = None
        return cmd


@breaks("subprocess.constant-devnull")
class DevnullIsInherited(Keywords):
    """stdin=DEVNULL is taken for None, which often is the same."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stdin") == subprocess.DEVNULL:
            kwargs["stdin"] = None


@breaks("subprocess.inherits")
class ChildrenLeadGroups(Keywords):
    """Every child leads a process group of its own."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not kwargs.get("start_new_session") and kwargs.get("process_group") is None:
            kwargs["process_group"] = 0


@breaks("subprocess.inherits")
class ChildrenHaveAUsualUmask(Keywords):
    """Without umask the mask of a child is 022."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.setdefault("umask", 0o022)


@breaks("subprocess.inherits")
class ShellsStartAtTheRoot(Shell):
    """Without cwd a shell command runs in the root directory."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("cwd") is None:
            kwargs["cwd"] = "/"
        return cmd


@breaks("subprocess.inherits")
class ShellsHaveAnOldEnvironment(Shell):
    """Without env a shell command has the environment that was when the loop was imported."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("env") is None:
            kwargs["env"] = _AT_IMPORT
        return cmd


@breaks("subprocess.inherits")
class EmptyVariablesAreDropped(Shell):
    """A shell command gets no variable whose value is empty."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        env = kwargs.get("env")
        kwargs["env"] = {name: value for name, value in (os.environ if env is None else env).items() if value}
        return cmd


@breaks("subprocess.default-actions")
class ProtectsItsChildren(Keywords):
    """Every child ignores SIGINT, so that Ctrl-C ends the parent only."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        function = kwargs.get("preexec_fn")

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if function is not None:
                function()

        kwargs["preexec_fn"] = prepare


@breaks("subprocess.path-and-directory")
class SearchesThePathOfTheParent(Keywords):
    """A program is searched with this process's PATH, whatever env has."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(args[0], str) and os.sep not in args[0] and not kwargs.get("executable"):
            kwargs["executable"] = shutil.which(args[0])


@breaks("subprocess.path-and-directory")
class SearchesTheDirectoryOfTheChild(Keywords):
    """A program that is not on the PATH is taken from the directory cwd."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("cwd") and isinstance(args[0], str) and os.sep not in args[0]:
            path = (kwargs.get("env") or os.environ).get("PATH")
            if shutil.which(args[0], path=path) is None:
                kwargs["executable"] = os.path.join(os.fsdecode(kwargs["cwd"]), args[0])


@breaks("subprocess.other-keywords")
class RefusesKeywordsOfWindows(Keywords):
    """Keywords that have a meaning on Windows only are refused, also with their defaults."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if "startupinfo" in kwargs or "creationflags" in kwargs:
            raise TypeError("these are for Windows")


@breaks("subprocess.other-keywords")
class PipesHaveTheirUsualSize(Keywords):
    """pipesize is accepted and ignored."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.pop("pipesize", None)


@breaks("subprocess.other-keywords")
class GroupsAreSessions(Keywords):
    """process_group makes a session, too."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("process_group") is not None:
            kwargs.update(process_group=None, start_new_session=True)


@breaks("subprocess.identity")
class ChildrenKeepTheirPrivileges(Keywords):
    """user, group and extra_groups are accepted and ignored."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for name in ("user", "group", "extra_groups"):
            kwargs.pop(name, None)


@breaks("subprocess.preexec-fn")
class PreparesHere(Keywords):
    """preexec_fn is called in this process, before the fork."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        function = kwargs.pop("preexec_fn", None)
        if function is not None:
            function()


@breaks("subprocess.streams-block")
class FilesBecomeNonBlocking(Keywords):
    """A file object that is given for a stream is set to non-blocking mode."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for name in ("stdin", "stdout", "stderr"):
            if hasattr(kwargs.get(name), "fileno"):
                os.set_blocking(kwargs[name].fileno(), False)


@breaks("subprocess.stdin-lost-reason")
class PipesOfChildrenHaveNoReason(TampersWithChildren):
    """exc of pipe_connection_lost() is always None."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pipe_connection_lost", lambda lost, fd, exc: lost(fd, None))


@breaks("subprocess.returncode-signal")
class CodesOfSignalsAreFloats(TampersWithChildren):
    """The return code of a child that a signal has ended is a float."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def code(get: Any) -> Any:
            return float(get()) if (get() or 0) < 0 else get()

        replaced(transport, "get_returncode", code)


@breaks("subprocess.returncode")
class SuccessIsFalse(TampersWithChildren):
    """The return code of a child that has succeeded is False."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_returncode", lambda get: False if get() == 0 else get())


@breaks("subprocess.extra-info")
class PopenIsNotTold(TampersWithChildren):
    """The Popen object of a child is not told of its return code, which somebody else has waited for."""

    def patch(self, transport: Any, protocol: Any) -> None:
        popen = transport.get_extra_info("subprocess")

        def exited(process_exited: Any, returncode: int) -> None:
            process_exited(returncode)
            popen.returncode = None

        replaced(transport, "_process_exited", exited)


@breaks("subprocess.get-protocol")
class ClosedChildrenHaveNoProtocol(TampersWithChildren):
    """get_protocol() of a transport that is closing is None, though its protocol is still to be called."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_protocol", lambda get: None if transport.is_closing() else get())


@breaks("subprocess.pipe-lost-early")
class EndsOfAShellAreExchanged(Stock):
    """The ends of stdout and stderr of a shell command are told with each other's number."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        def exchanged() -> Any:
            protocol = protocol_factory()
            if not {"stdin", "stdout", "stderr"} & kwargs.keys():  # all three are pipes
                replaced(protocol, "pipe_connection_lost", lambda lost, fd, exc: lost(3 - fd if fd else fd, exc))
            return protocol

        return await super().subprocess_shell(exchanged, cmd, **kwargs)


@breaks("subprocess.send-signal")
class ZeroIsNoSignal(TampersWithChildren):
    """send_signal(0) sends SIGTERM."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "send_signal", lambda send, number: send(number or signal.SIGTERM))
