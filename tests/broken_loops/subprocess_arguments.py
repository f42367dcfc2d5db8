"""Broken loops of the chapter `subprocess`: the program, its name and its shell, and streams that are left alone."""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
import shutil
import subprocess
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Starts(Stock):
    """Changes the arguments of subprocess_exec(), and the keywords of either method."""

    def program(self, args: list[Any]) -> list[Any]:
        return args

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        pass

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.keywords(kwargs, False)
        return await super().subprocess_exec(protocol_factory, *self.program(list(args)), **kwargs)

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        self.keywords(kwargs, True)
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.argv-name")
class NamesProgramsByTheirPath(_Starts):
    """A program that was found on the path sees that path as its name."""

    def program(self, args: list[Any]) -> list[Any]:
        return [shutil.which(args[0]) or args[0], *args[1:]]


@breaks("subprocess.shell-program")
class TheShellIsOfTheEnvironment(_Starts):
    """A command is run by bash, the user's shell."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        if shell:
            kwargs.setdefault("executable", "/bin/bash")


@breaks("subprocess.unknown-keyword")
class DropsUnknownKeywords(_Starts):
    """subprocess_shell() drops keywords that it does not know."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        for name in set(kwargs) - set(inspect.signature(subprocess.Popen).parameters) if shell else ():
            del kwargs[name]


@breaks("subprocess.missing-directory")
class StaysWhereThereIsNoDirectory(_Starts):
    """The failure of chdir() is dropped: the child stays in this directory."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        if not os.path.isdir(kwargs.get("cwd") or "/"):
            del kwargs["cwd"]


@breaks("subprocess.fileno")
class FilesHaveMethods(_Starts):
    """A file-like object must say whether it can be read."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        stdin = kwargs.get("stdin")
        if stdin is not None and not isinstance(stdin, int):
            stdin.readable()


@breaks("subprocess.fileno")
class DescriptorsAreNoErrorStreams(_Starts):
    """A descriptor that is given for standard error is ignored."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        stderr = kwargs.get("stderr")
        if isinstance(stderr, int) and stderr > 2:
            kwargs["stderr"] = subprocess.DEVNULL


@breaks("subprocess.streams-block")
class GivenFilesDoNotBlock(_Starts):
    """Whatever is given for a stream is set to non-blocking mode, as a pipe of the loop is."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        for stream in (kwargs.get("stdin"), kwargs.get("stdout")):
            if isinstance(stream, int) and stream > 2:
                os.set_blocking(stream, False)


@breaks("subprocess.streams-block")
class GivenOutputDoesNotBlock(_Starts):
    """A file object given for stdout is set to non-blocking mode."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        stdout = kwargs.get("stdout")
        if hasattr(stdout, "fileno"):
            os.set_blocking(stdout.fileno(), False)


@breaks("subprocess.childs-streams-block")
class ChildrenDoNotBlock(_Starts):
    """The child's end of the pipe of standard error is set to non-blocking mode."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        theirs = kwargs.get("preexec_fn")

        def prepare() -> None:
            os.set_blocking(2, False)
            if theirs:
                theirs()

        if kwargs.get("stderr", subprocess.PIPE) == subprocess.PIPE:
            kwargs["preexec_fn"] = prepare


@breaks("subprocess.cwd")
class CwdIsNotBytes(_Starts):
    """cwd is made a string by str()."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        if kwargs.get("cwd"):
            kwargs["cwd"] = str(kwargs["cwd"])


@breaks("subprocess.env-mapping")
class TheEnvironmentIsText(_Starts):
    """Names and values of env must be str: others are left out."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        if kwargs.get("env"):
            kwargs["env"] = {name: value for name, value in kwargs["env"].items() if isinstance(name, str)}


@breaks("subprocess.pass-fds")
class PassesOneDescriptor(_Starts):
    """Of pass_fds only the first descriptor is kept open."""

    def keywords(self, kwargs: dict[str, Any], shell: bool) -> None:
        if kwargs.get("pass_fds"):
            kwargs["pass_fds"] = tuple(kwargs["pass_fds"])[:1]


@breaks("subprocess.shell-bytes")
class EncodesCommandsStrictly(Stock):
    """A command that is str is encoded as strict UTF-8."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        if isinstance(cmd, str):
            cmd = cmd.encode()
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.returns-pair")
class ShellsHaveTwoProtocols(Stock):
    """protocol_factory of subprocess_shell() is called twice."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        protocol_factory()
        return await super().subprocess_shell(protocol_factory, cmd, **kwargs)


@breaks("subprocess.path-objects")
class PathsAreNoStrings(_Starts):
    """An argument that is a path object is refused."""

    def program(self, args: list[Any]) -> list[Any]:
        if not all(isinstance(arg, str | bytes) for arg in args):
            raise TypeError("program arguments must be strings")
        return args


@breaks("subprocess.one-file-for-two")
class ClosesADescriptorThatComesTwice(Stock):
    """A descriptor that is given for both stdout and stderr is closed here when the child has it."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made = await super().subprocess_exec(protocol_factory, *args, **kwargs)
        self.after(**kwargs)
        return made

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        made = await super().subprocess_shell(protocol_factory, cmd, **kwargs)
        self.after(**kwargs)
        return made

    def after(self, stdout: Any = None, stderr: Any = None, **_: Any) -> None:
        if isinstance(stdout, int) and stdout > 2 and stdout == stderr:
            os.close(stdout)


@breaks("subprocess.not-a-program")
class ScriptsAreGivenToAShell(Stock):
    """A file that the system cannot execute is given to a shell, as execvp() of C does."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().subprocess_exec(protocol_factory, *args, **kwargs)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            return await super().subprocess_exec(protocol_factory, "/bin/sh", *args, **kwargs)


@breaks("subprocess.childs-streams-block")
class TheChildsInputDoesNotBlock(Stock):
    """The child's end of standard input's pipe is in non-blocking mode."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("stdin", subprocess.PIPE) == subprocess.PIPE:
            kwargs.setdefault("preexec_fn", lambda: os.set_blocking(0, False))
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("subprocess.long-arguments")
class ArgumentsFitIntoAPage(Stock):
    """An argument ends after 4096 characters."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().subprocess_exec(protocol_factory, *(each[:4096] for each in args), **kwargs)


@breaks("subprocess.long-arguments")
class ArgumentsAreAThousand(Stock):
    """A program gets its first thousand arguments."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().subprocess_exec(protocol_factory, *args[:1000], **kwargs)
