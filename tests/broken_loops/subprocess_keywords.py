"""Broken loops of the chapter `subprocess`: arguments that are false, refused or meant for the shell, and files."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import subprocess
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class Keywords(Stock):
    """Changes the arguments of every child."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        raise NotImplementedError

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        given = list(args)
        self.changed(given, kwargs)
        return await super().subprocess_exec(protocol_factory, *given, **kwargs)


class Shell(Stock):
    """Changes the arguments of shell commands."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        cmd = self.changed(cmd, kwargs)
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.env-mapping")
class AnEmptyEnvironmentIsNone(Keywords):
    """env={} is taken for None."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs["env"] = kwargs.get("env") or None


@breaks("subprocess.env-mapping")
class TheEnvironmentMustBeADict(Keywords):
    """env must be a dict."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not isinstance(kwargs.get("env"), dict | None):
            raise TypeError("env must be a dict")


@breaks("subprocess.false-keywords")
class FalseKeywordsAreDefaults(Keywords):
    """Keywords whose value is false are not passed on."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for name in ("umask", "restore_signals", "close_fds"):
            if not kwargs.get(name):
                kwargs.pop(name, None)


@breaks("subprocess.shell-keywords")
class TheShellIsFixed(Shell):
    """subprocess_shell() ignores executable."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        kwargs.pop("executable", None)
        return cmd


@breaks("subprocess.shell-keywords")
class ShellsStayWhereTheyAre(Shell):
    """subprocess_shell() ignores cwd and env."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        kwargs.pop("cwd", None)
        kwargs.pop("env", None)
        return cmd


@breaks("subprocess.shell-keywords")
class ShellsKnowFewKeywords(Shell):
    """subprocess_shell() ignores what has to do with descriptors."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        kwargs.pop("pass_fds", None)
        kwargs.pop("close_fds", None)
        return cmd


@breaks("subprocess.shell-keywords")
class ShellsArePreparedByNobody(Shell):
    """subprocess_shell() ignores umask and preexec_fn."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        kwargs.pop("umask", None)
        kwargs.pop("preexec_fn", None)
        return cmd


@breaks("subprocess.shell-lines")
class CommandsAreLines(Shell):
    """Only the first line of a shell command is run."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        return cmd.strip().split(b"\n" if isinstance(cmd, bytes) else "\n")[0]


@breaks("subprocess.null-byte")
class StringsEndAtNull(Keywords):
    """An argument ends at its first null byte."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        args[:] = [each.split("\0" if isinstance(each, str) else b"\0")[0] for each in args]


@breaks("subprocess.exec-type")
class ArgumentsAreMadeStrings(Keywords):
    """Arguments that are no strings are made such."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        args[:] = [each if isinstance(each, str | bytes) else str(each) for each in args]


@breaks("subprocess.preexec-error")
class PreexecMayFail(Keywords):
    """An exception of preexec_fn is dropped in the child."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        function = kwargs.get("preexec_fn")

        def call() -> None:
            with contextlib.suppress(Exception):
                function()  # type: ignore[misc]

        if function is not None:
            kwargs["preexec_fn"] = call


@breaks("subprocess.file-position")
class WindsFilesBack(Keywords):
    """A file as standard stream is used from its beginning."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for name in ("stdin", "stdout"):
            if hasattr(kwargs.get(name), "fileno"):
                with contextlib.suppress(OSError):
                    os.lseek(kwargs[name].fileno(), 0, os.SEEK_SET)


@breaks("subprocess.file-position")
class ClosesTheFileOfStdin(Stock):
    """A file given as stdin is closed when the child has started."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().subprocess_exec(protocol_factory, *args, **kwargs)
        finally:
            if hasattr(kwargs.get("stdin"), "close"):
                kwargs["stdin"].close()


@breaks("subprocess.file-like")
class FilesAreOfTheModuleIo(Keywords):
    """A standard stream must be an object of the module io."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for name in ("stdin", "stdout", "stderr"):
            if hasattr(kwargs.get(name), "fileno") and not isinstance(kwargs[name], io.IOBase):
                raise TypeError(f"{name} is no file")


@breaks("subprocess.stderr-follows")
class StderrStaysWhereItIs(Keywords):
    """stderr=STDOUT means nothing if stdout is None."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("stderr") == subprocess.STDOUT and kwargs.get("stdout", 0) is None:
            kwargs["stderr"] = None


@breaks("subprocess.close-fds")
class ShellsInherit(Shell):
    """The shell inherits what is inheritable."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        kwargs.setdefault("close_fds", bool(kwargs.get("pass_fds")))
        return cmd


@breaks("subprocess.restore-signals")
class ShellsIgnoreSigpipe(Shell):
    """The shell keeps ignoring SIGPIPE."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        kwargs.setdefault("restore_signals", False)
        return cmd


@breaks("subprocess.shell-lines")
class ShellsEndAtAFailure(Shell):
    """A shell command ends at the first line that fails, as with sh -e."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        return "set -e\n" + cmd if isinstance(cmd, str) else b"set -e\n" + cmd


@breaks("subprocess.shell-keywords")
class ShellsHaveNoSession(Shell):
    """start_new_session is ignored for a shell command."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        kwargs.pop("start_new_session", None)
        return cmd


@breaks("subprocess.shell-keywords")
class ShellsAddToTheEnvironment(Shell):
    """The environment that a shell command is given is added to that of this process."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("env"):
            kwargs["env"] = {**os.environ, **kwargs["env"]}
        return cmd


@breaks("subprocess.shell-syntax")
class MissingCommandsAreErrors(Shell):
    """A shell command whose program does not exist raises FileNotFoundError."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(cmd, str) and cmd.startswith("/") and not os.path.exists(cmd.split()[0]):
            raise FileNotFoundError(cmd)
        return cmd
