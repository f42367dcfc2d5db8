"""Chapter subprocess: arguments that are false, refused or meant for the shell, and files as standard streams."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, ended, finish, spawned, standing_for
from conformance.kit.patience import Patience
from conformance.kit.refusals import refused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL, PIPE, STDOUT = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT


@requirement("subprocess.env-mapping", MUST, cite="subprocess: Popen")
@pytest.mark.parametrize(
    "env", [{}, MappingProxyType({"GIVEN": "yes"}), {b"GIVEN": b"yes"}], ids=["empty", "mapping", "bytes"]
)
def test_env_is_any_mapping(loop: Loop, patience: Patience, monkeypatch: Any, env: Any) -> None:
    """If env is not None, it must be a mapping, which is used instead of the current environment: an empty one, too.

    If this fails: look for an empty environment taken for None, or for a mapping that must be a dict.
    """
    monkeypatch.setenv("ONLY_HERE", "parent")
    protocol = finish(loop, patience, 'echo "${GIVEN-no} ${ONLY_HERE-unset}"', env=env)
    assert protocol.output[1] == (b"yes unset\n" if env else b"no unset\n")


@requirement("subprocess.false-keywords", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize("name", ["umask", "restore_signals", "close_fds"])
def test_keywords_that_are_false_are_passed_on(loop: Loop, patience: Patience, tmp_path: Path, name: str) -> None:
    """All other keyword arguments are passed to Popen without interpretation, also if they are 0 or False.

    If this fails: look for a keyword that is passed on if it is true, or whose value is fixed.
    """
    if name == "umask":
        before = os.umask(0o077)
        try:
            assert finish(loop, patience, "umask", umask=0).output[1] == b"0000\n"
        finally:
            os.umask(before)
    elif name == "restore_signals":
        theirs = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        try:
            protocol = finish(loop, patience, "kill -PIPE $$; exit 3", restore_signals=False)
        finally:
            signal.signal(signal.SIGPIPE, theirs)
        assert protocol.transport.get_returncode() == 3
    else:
        with open(tmp_path / "file", "wb") as file:
            os.set_inheritable(file.fileno(), True)
            script = 'test -e "/dev/fd/$1" && echo open'
            protocol = finish(loop, patience, script, str(file.fileno()), close_fds=False)
        assert protocol.output[1] == b"open\n"


@requirement("subprocess.shell-keywords", MUST, cite="asyncio-eventloop: loop.subprocess_shell")
@each("name", ["cwd", "env", "executable", "stderr", "umask", "pass_fds", "close_fds", "preexec_fn",
               "start_new_session", "process_group", "restore_signals"])  # fmt: skip
def test_subprocess_shell_takes_the_same_keywords(
    loop: Loop, patience: Patience, tmp_path: Path, monkeypatch: Any, name: str
) -> None:
    """The remaining arguments of subprocess_shell() are those of subprocess_exec(): they are passed on to Popen.

    If this fails: look for a second list of keywords, shorter than the first, or a shell whose path is fixed.
    """
    monkeypatch.setenv("ONLY_HERE", "parent")
    program = tmp_path / "a-shell"
    program.write_text('#!/bin/sh\necho "asked to run $2"\n')
    program.chmod(0o755)
    real = os.fsencode(tmp_path.resolve())
    file = os.open(program, os.O_RDONLY)
    os.set_inheritable(file, name == "close_fds")
    case: dict[str, tuple[Any, str, bytes]] = {
        "cwd": (tmp_path, "pwd -P", real),
        "env": ({"GIVEN": "yes"}, "echo $GIVEN ${ONLY_HERE-unset}", b"yes unset"),
        "executable": (str(program), "exit 3", b"asked to run exit 3"),
        "stderr": (STDOUT, "echo error >&2", b"error"),
        "umask": (0o027, "umask", b"0027"),
        "pass_fds": ([file], f"test -e /dev/fd/{file} && echo open", b"open"),
        "close_fds": (False, f"test -e /dev/fd/{file} && echo open", b"open"),
        "preexec_fn": (functools.partial(os.umask, 0o037), "umask", b"0037"),
        "start_new_session": (True, "kill -0 -$$ && echo leads", b"leads"),
        "process_group": (0, "kill -0 -$$ && echo leads", b"leads"),
        "restore_signals": (False, "kill -PIPE $$; echo ignored", b"ignored"),
    }
    value, command, expected = case[name]
    starting = loop.subprocess_shell(ChildEvents, command, **{"stdin": DEVNULL, name: value})
    transport, protocol = loop.run_until_complete(starting)
    try:
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    finally:
        transport.close()
        os.close(file)
    assert dict(protocol.output) == {1: expected + b"\n"}


@requirement(
    "subprocess.keywords-together",
    MUST,
    cite=("asyncio-eventloop: loop.subprocess_exec", "asyncio-eventloop: loop.subprocess_shell"),
)
@each("method", ["subprocess_exec", "subprocess_shell"])
@each("leads", [{"start_new_session": True}, {"process_group": 0}])
@each("debug", [False, True])
def test_keywords_can_be_given_together(
    loop: Loop, patience: Patience, tmp_path: Path, method: str, leads: dict[str, Any], debug: bool
) -> None:
    """All other keyword arguments are passed to Popen without interpretation, however many of them are given at once.

    In debug mode as well.

    If this fails: look for a quicker way to start a child, which is taken for some keywords and does not know others.
    """
    loop.set_debug(debug)
    script = 'pwd -P; echo "$GIVEN"; umask; kill -0 -$$ && kill -PIPE $$; kill -USR1 $$; ls /dev/fd/$PASSED'
    with open(tmp_path / "file", "wb") as file:
        kwargs = leads | {
            "stdin": DEVNULL,
            "stderr": STDOUT,
            "cwd": tmp_path,
            "env": {"GIVEN": "yes", "PASSED": str(file.fileno())},
            "umask": 0o007,
            "preexec_fn": functools.partial(signal.signal, signal.SIGUSR1, signal.SIG_IGN),
            "restore_signals": False,
            "pass_fds": [file.fileno()],
            "executable": "/bin/sh",
        }
        if method == "subprocess_exec":
            starting: Any = loop.subprocess_exec(ChildEvents, "any name", "-c", script, **kwargs)
        else:
            starting = loop.subprocess_shell(ChildEvents, script, **kwargs)
        protocol = ended(loop, patience, starting)
        number = file.fileno()
    assert protocol.output[1] == os.fsencode(tmp_path.resolve()) + b"\nyes\n0007\n/dev/fd/%d\n" % number


@requirement("subprocess.shell-lines", MUST, cite="asyncio-eventloop: loop.subprocess_shell")
@each("kind", [str, bytes])
def test_a_shell_command_may_have_several_lines(loop: Loop, patience: Patience, kind: type) -> None:
    """Create a subprocess from cmd as it is: a script of several lines, with quotes and comments in it, or of none.

    If this fails: look for a command that is quoted, stripped or cut before the shell sees it.
    """
    for command, output in (
        ("  echo 'one\n two' # a comment\nfalse\necho \"three\"\n", b"one\n two\nthree\n"),
        ("", b""),
    ):
        given = command if kind is str else command.encode()
        protocol = ended(loop, patience, loop.subprocess_shell(ChildEvents, given, stdin=DEVNULL))
        assert protocol.output[1] == output
        assert protocol.transport.get_returncode() == 0


@requirement("subprocess.null-byte", SHOULD, cite="subprocess: Exceptions")
@each("where", ["str", "bytes", "env", "shell"])
def test_a_null_byte_is_refused(loop: Loop, where: str) -> None:
    """An argument, a command or a variable with a null byte cannot reach a program: ValueError, and nothing is started.

    If this fails: look for strings that end at the first null byte, as those of C do.
    """
    if where == "shell":
        starting: Any = loop.subprocess_shell(ChildEvents, "exit 0\0; exit 1")
    elif where == "env":
        starting = loop.subprocess_exec(ChildEvents, "/bin/true", env={"NAME": "value\0more"})
    else:
        starting = loop.subprocess_exec(ChildEvents, "/bin/true", {"str": "a\0b", "bytes": b"a\0b"}[where])
    with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
        loop.run_until_complete(starting)


@requirement("subprocess.exec-type", SHOULD, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize("args", [(5,), (None,), (1.5,), (["/bin/true"],), ()], ids=repr)
def test_arguments_must_be_strings(loop: Loop, args: Any) -> None:
    """args must be strings, one or more, str or bytes: what is neither raises an exception, and so does a list of them.

    If this fails: look for arguments that are made strings by str(), or for a list that is taken as Popen takes it.
    """
    with refused(*([] if args else [IndexError])):  # as Popen([])
        loop.run_until_complete(loop.subprocess_exec(ChildEvents, *args))
    if args:
        with refused():
            loop.run_until_complete(loop.subprocess_exec(ChildEvents, "/bin/true", *args))


@requirement("subprocess.preexec-error", MUST, cite="subprocess: Exceptions")
def test_an_exception_of_preexec_fn_is_raised(loop: Loop) -> None:
    """An exception that is raised in the child before the program is executed is raised in the parent.

    If this fails: look for a hook after the fork whose exception is printed, or dropped, in the child.
    """

    def fail() -> None:
        raise LookupError("before the program")

    with pytest.raises((subprocess.SubprocessError, LookupError)):
        loop.run_until_complete(loop.subprocess_exec(ChildEvents, "/bin/true", preexec_fn=fail))


@requirement("subprocess.file-position", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_files_are_used_from_where_they_are(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """A file object is connected to the child's stream as it is: at its position, and it stays open in this process.

    If this fails: look for a file that is opened again by its name, wound back, or closed after the start.
    """
    (tmp_path / "in").write_text("first second")
    with open(tmp_path / "in", "rb", buffering=0) as source, open(tmp_path / "out", "wb", buffering=0) as target:
        source.seek(6)
        target.write(b"before ")
        finish(loop, patience, "cat", stdin=source, stdout=target)
        target.write(b" after")
        assert source.read() == b""
    assert (tmp_path / "out").read_text() == "before second after"


@requirement("subprocess.file-like", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_what_is_like_a_file_has_a_descriptor(loop: Loop, patience: Patience) -> None:
    """stdin, stdout and stderr can be a file-like object, such as tempfile makes: what counts is its fileno().

    So files that are open for text are as good, and sockets.

    If this fails: look for a test of the class, or of the mode, where a call of fileno() is meant.
    """
    for mode, words in (("w+b", b"words"), ("w+", "words")):
        with tempfile.NamedTemporaryFile(mode) as source, tempfile.NamedTemporaryFile(mode) as target:
            source.write(words)
            source.flush()
            source.seek(0)
            finish(loop, patience, "cat; cat /nonexistent/file", stdin=source, stdout=target, stderr=DEVNULL)
            target.seek(0)
            assert target.read() == words
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"words")
        theirs.shutdown(socket.SHUT_WR)
        finish(loop, patience, "cat", stdin=ours, stdout=ours, stderr=DEVNULL)
        assert theirs.recv(100) == b"words"


@requirement("subprocess.stderr-follows", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize("stdout", [DEVNULL, None], ids=["DEVNULL", "None"])
def test_stdout_without_a_pipe_takes_stderr_along(loop: Loop, patience: Patience, tmp_path: Path, stdout: Any) -> None:
    """stderr=STDOUT connects the standard error stream to the standard output stream, if that is no pipe either.

    If this fails: look for STDOUT that is understood only beside a pipe.
    """
    with (
        standing_for(1, tmp_path / "out", os.O_WRONLY),
        spawned(loop, patience, "test /dev/fd/1 -ef /dev/fd/2 || exit 1; echo error >&2",
                stdin=DEVNULL, stdout=stdout, stderr=STDOUT) as (transport, protocol),
    ):  # fmt: skip
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert transport.get_returncode() == 0
    assert (tmp_path / "out").read_text() == ("error\n" if stdout is None else "")
    assert not protocol.output
