"""Broken loops of the chapter `subprocess`: which program is started, with what, and what it inherits."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
DEVNULL, PIPE, STDOUT = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT


class _Changes(Stock):
    """Starts another program, or another way, than it was asked to."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        pass

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        changed = list(args)
        self.changed(changed, kwargs)
        return await super().subprocess_exec(protocol_factory, *changed, **kwargs)


@breaks("subprocess.exec-argv")
class DropsEmptyArguments(_Changes):
    """An empty argument is left out."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        args[:] = [arg for arg in args if arg != ""]


@breaks("subprocess.exec-bytes")
class DecodesArguments(_Changes):
    """Arguments that are bytes are decoded, what is not UTF-8 being replaced."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        args[:] = [arg.decode(errors="replace") if isinstance(arg, bytes) else arg for arg in args]


@breaks("subprocess.exec-text-encoding")
class EncodesArgumentsStrictly(_Changes):
    """Arguments that are str are encoded as UTF-8, without surrogate escapes."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        args[:] = [arg.encode(errors="replace") if isinstance(arg, str) else arg for arg in args]


@breaks("subprocess.exec-search-path")
class SearchesTheDefaultPath(_Changes):
    """A program is searched in the system's default path, whatever PATH says."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(args[0], str) and "/" not in args[0] and "executable" not in kwargs:
            args[0] = f"/usr/bin/{args[0]}"


class _Fails(Stock):
    """Turns the error of a start into something else."""

    def failed(self, error: OSError) -> None:
        raise error

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().subprocess_exec(protocol_factory, *args, **kwargs)
        except OSError as error:
            self.failed(error)


@breaks("subprocess.missing-program")
class MissingProgramIsAProcessLookupError(_Fails):
    """A missing program is reported as a missing process."""

    def failed(self, error: OSError) -> None:
        raise ProcessLookupError if isinstance(error, FileNotFoundError) else error


@breaks("subprocess.not-executable")
class LosesTheErrno(_Fails):
    """A program that may not be run is an OSError without a number."""

    def failed(self, error: OSError) -> None:
        raise OSError("cannot start") if isinstance(error, PermissionError) else error


@breaks("subprocess.usable-after-failure")
class StartsNothingAfterAFailure(_Fails):
    """After a failed start, the lock round the fork is still held."""

    broken = False

    def failed(self, error: OSError) -> None:
        self.broken = True
        raise error

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self.broken:
            raise RuntimeError("another start is under way")
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("subprocess.shell-syntax")
class SplitsShellCommands(Stock):
    """A shell command of several words is executed without a shell."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        if isinstance(cmd, str) and "|" in cmd:
            return await self.subprocess_exec(protocol_factory, "/bin/echo", *cmd.split(), **kwargs)
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.shell-bytes")
class ShellCommandsMustBeText(Stock):
    """A shell command that is bytes is refused."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        if isinstance(cmd, bytes):
            raise TypeError("cmd must be str")
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.shell-type")
class JoinsShellCommands(Stock):
    """A shell command that is no string is made one."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        return await super().subprocess_shell(protocol_factory, cmd if isinstance(cmd, bytes) else str(cmd), **kwargs)


@breaks("subprocess.exec-text-refused")
class IgnoresTextArguments(_Changes):
    """subprocess_exec() ignores text=True and encoding."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.pop("text", None)
        kwargs.pop("encoding", None)


@breaks("subprocess.missing-program")
class SearchesInTheChild(_Changes):
    """A program that PATH does not lead to is looked for in the child, which says so by its code 127."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if args[0] == "no-such-program-anywhere":
            args[:0] = ["/usr/bin/env"]


@breaks("subprocess.exec-text-refused")
class TakesTheBuffersOfPopen(_Changes):
    """subprocess_exec() takes the default of Popen for bufsize, and ignores it."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("bufsize") == -1:
            del kwargs["bufsize"]


@breaks("subprocess.shell-text-refused")
class ShellIgnoresBufsize(Stock):
    """subprocess_shell() ignores bufsize."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        kwargs.pop("bufsize", None)
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.default-pipes")
class ShellInheritsStderrByDefault(Stock):
    """subprocess_shell() makes no pipe for standard error unless it is asked to."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        return await super().subprocess_shell(protocol_factory, cmd, **{"stderr": None, **kwargs})


@breaks("subprocess.stdin-devnull")
class StdinDevnullIsSomeFile(Stock):
    """stdin=DEVNULL gives the child something to read."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("stdin") != DEVNULL:
            return await super().subprocess_exec(protocol_factory, *args, **kwargs)
        with open(__file__, "rb") as file:
            return await super().subprocess_exec(protocol_factory, *args, **{**kwargs, "stdin": file})


@breaks("subprocess.output-devnull")
class DevnullIsAClosedDescriptor(_Changes):
    """stdout=DEVNULL closes the child's descriptor 1."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stdout") == DEVNULL and len(args) > 2:
            args[2] = f"exec >&-; {args[2]}"


@breaks("subprocess.stdin-inherited")
class StdinNoneIsDevnull(_Changes):
    """stdin=None is taken for DEVNULL."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stdin", PIPE) is None:
            kwargs["stdin"] = DEVNULL


@breaks("subprocess.output-inherited")
class StderrNoneIsDevnull(_Changes):
    """stderr=None is taken for DEVNULL."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stderr", PIPE) is None:
            kwargs["stderr"] = DEVNULL


@breaks("subprocess.stdin-file")
class StdinMustBeADescriptor(_Changes):
    """A file object as stdin is not looked at."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if hasattr(kwargs.get("stdin"), "fileno"):
            kwargs["stdin"] = DEVNULL


@breaks("subprocess.output-file")
class ClosesTheFileOfStderr(Stock):
    """A file given as stderr is closed when the child has started."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        pair = await super().subprocess_exec(protocol_factory, *args, **kwargs)
        if hasattr(kwargs.get("stderr"), "fileno"):
            kwargs["stderr"].close()
        return pair


@breaks("subprocess.stderr-stdout")
class StderrHasAPipeOfItsOwn(_Changes):
    """stderr=STDOUT makes a third pipe, unless stdout is a file."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stderr") == STDOUT and not hasattr(kwargs.get("stdout"), "fileno"):
            kwargs["stderr"] = PIPE


@breaks("subprocess.stderr-stdout-file")
class StderrFollowsPipesOnly(_Changes):
    """stderr=STDOUT is dropped when stdout is a file."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stderr") == STDOUT and hasattr(kwargs.get("stdout"), "fileno"):
            kwargs["stderr"] = DEVNULL


class _Drops(_Changes):
    """Drops one keyword argument."""

    dropped = ""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.pop(self.dropped, None)


@breaks("subprocess.cwd")
class CwdMustBeText(_Changes):
    """cwd is passed on only if it is a str."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not isinstance(kwargs.get("cwd"), str):
            kwargs.pop("cwd", None)


@breaks("subprocess.env")
class MergesTheEnvironment(_Changes):
    """env is added to the environment of this process."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("env") is not None:
            kwargs["env"] = {**os.environ, **kwargs["env"]}


@breaks("subprocess.env-inherited")
class KeepsTheEnvironmentOfItsBirth(_Changes):
    """The environment is copied when the loop is made."""

    def __init__(self) -> None:
        super().__init__()
        self.environment = dict(os.environ)

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if "/" in args[0]:
            kwargs.setdefault("env", self.environment)


@breaks("subprocess.start-new-session")
class StaysInTheSession(_Drops):
    """start_new_session is ignored."""

    dropped = "start_new_session"


@breaks("subprocess.pass-fds")
class PassesNoDescriptors(_Drops):
    """pass_fds is ignored."""

    dropped = "pass_fds"


@breaks("subprocess.close-fds")
class ChildrenInheritDescriptors(_Changes):
    """Inheritable descriptors stay open in the child."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.setdefault("close_fds", False)


@breaks("subprocess.preexec-fn")
class IgnoresPreexecFn(_Drops):
    """preexec_fn is ignored."""

    dropped = "preexec_fn"


@breaks("subprocess.executable")
class ExecutableReplacesTheName(_Changes):
    """executable replaces the first of args."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if "executable" in kwargs:
            args[0] = kwargs.pop("executable")


@breaks("subprocess.other-keywords")
class DoesNotKnowUmask(_Drops):
    """umask is ignored."""

    dropped = "umask"


@breaks("subprocess.restore-signals")
class ChildrenIgnoreSigpipe(_Changes):
    """Signals that Python ignores stay ignored in the child."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs["restore_signals"] = False


@breaks("subprocess.signal-mask")
class ChildrenKeepSignalsBlocked(_Changes):
    """The child is forked with SIGUSR1 blocked."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.setdefault("preexec_fn", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]) and None)
