"""Chapter subprocess: the program, its name and its shell, and streams that are left as they are."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import BIG, ChildEvents, ended, finish, spawned
from conformance.kit.patience import Patience
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL = asyncio.subprocess.DEVNULL


@requirement("subprocess.argv-name", MUST, cite="asyncio-eventloop: loop.subprocess_exec", needs=("linux",))
@each("program", ["sh", "/bin/sh", b"sh"])
def test_the_first_string_is_the_programs_name(loop: Loop, patience: Patience, program: Any) -> None:
    """Together, string arguments form the argv of the program: the first one too, as it was given.

    If this fails: look for a name that is replaced by the path at which the program was found.
    """
    show = "tr '\\0' ' ' </proc/$$/cmdline; :"
    protocol = ended(loop, patience, loop.subprocess_exec(ChildEvents, program, "-c", show, "0", stdin=DEVNULL))
    assert protocol.output[1].split(b" ")[0] == os.fsencode(program)


@requirement("subprocess.path-objects", SHOULD, cite="gh-79427")
def test_the_program_and_its_arguments_may_be_path_objects(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """The program of subprocess_exec(), and each of its arguments, can be a path-like object, as for subprocess.Popen.

    If this fails: look for a conversion that knows str and bytes only.
    """
    (tmp_path / "words").write_text("words")
    spawning = loop.subprocess_exec(ChildEvents, Path("/bin/cat"), tmp_path / "words", stdin=DEVNULL)
    assert ended(loop, patience, spawning).output[1] == b"words"


@requirement("subprocess.shell-program", MUST, cite="subprocess: Popen", needs=("linux",))
def test_the_shell_is_bin_sh(loop: Loop, patience: Patience, monkeypatch: Any) -> None:
    """On POSIX the shell defaults to /bin/sh, whatever the environment says.

    If this fails: look for $SHELL, or for a shell that is searched on the path.
    """
    monkeypatch.setenv("SHELL", "/bin/false")
    shown = ended(loop, patience, loop.subprocess_shell(ChildEvents, "readlink /proc/$$/exe; :", stdin=DEVNULL))
    assert shown.output[1] == os.fsencode(os.path.realpath("/bin/sh")) + b"\n"


@requirement("subprocess.unknown-keyword", SHOULD, cite="asyncio-eventloop: loop.subprocess_exec")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_a_keyword_that_popen_does_not_know_is_refused(loop: Loop, method: str) -> None:
    """All other keyword arguments are passed to subprocess.Popen, which refuses those that it does not know.

    If this fails: look for keywords that are picked out one by one, and a rest that nobody looks at.
    """
    with pytest.raises((TypeError, ValueError)):
        loop.run_until_complete(getattr(loop, method)(ChildEvents, "/bin/true", no_such_keyword=True))


@requirement("subprocess.missing-directory", MUST, cite="subprocess: Popen")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_a_missing_directory_is_file_not_found(loop: Loop, tmp_path: Path, method: str) -> None:
    """cwd is the directory of the program: FileNotFoundError if there is none, and nothing is started.

    If this fails: look for a chdir() whose failure is dropped in the child.
    """
    with pytest.raises(FileNotFoundError):
        loop.run_until_complete(getattr(loop, method)(ChildEvents, "/bin/true", cwd=tmp_path / "missing"))


class _Descriptor:
    """An object that has a descriptor and nothing else of a file."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


@requirement("subprocess.fileno", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_fileno_is_all_that_is_needed_of_a_file(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """stdin, stdout and stderr can each be a file-like object or a descriptor: what is asked of it is its fileno().

    If this fails: look for methods of files that are called, or for descriptors that one of the three does not take.
    """
    (tmp_path / "in").write_text("words")
    script = "cat; echo error >&2"
    for number, kind in enumerate((_Descriptor, int)):
        out, err = tmp_path / f"out{number}", tmp_path / f"err{number}"
        with open(tmp_path / "in", "rb") as source, open(out, "wb") as target, open(err, "wb") as errors:
            finish(loop, patience, script, stdin=kind(source.fileno()), stdout=kind(target.fileno()),
                   stderr=kind(errors.fileno()))  # fmt: skip
        assert (out.read_text(), err.read_text()) == ("words", "error\n")


@requirement("subprocess.one-file-for-two", MUST, cite=("asyncio-eventloop: loop.subprocess_exec", "uvloop#481"))
@each("kind", [int, _Descriptor])
def test_one_file_may_be_given_for_two_streams(loop: Loop, patience: Patience, tmp_path: Path, kind: Any) -> None:
    """stdout and stderr can be one file: what the child writes to either is in it, and it stays open for the caller.

    If this fails: look for descriptors that are closed when the child has them, one by one.
    """
    with open(tmp_path / "out", "wb", buffering=0) as target:
        given = kind(target.fileno())
        finish(loop, patience, "echo output; echo error >&2", stdout=given, stderr=given)
        target.write(b"the caller")
    assert (tmp_path / "out").read_text() == "output\nerror\nthe caller"


@requirement("subprocess.streams-block", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@each("kind", [int, _Descriptor])
def test_the_files_that_are_given_stay_blocking(loop: Loop, patience: Patience, kind: Any) -> None:
    """What is given for stdin, stdout or stderr is connected as it is: a pipe that blocks still does, here and there.

    If this fails: look for a descriptor that is set to non-blocking mode, which is shared with whoever else has it.
    """
    pipes = [os.pipe() for _ in range(3)]
    (source, fill), (drain, target), (_, errors) = pipes
    given = {"stdin": kind(source), "stdout": kind(target), "stderr": kind(errors)}
    try:
        with spawned(loop, patience, "cat", **given) as (_, protocol):
            blocking = [os.get_blocking(end) for end in (source, target, errors)]
            os.write(fill, b"words")
            os.close(fill)
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert (blocking, os.read(drain, 100)) == ([True] * 3, b"words")
    finally:
        for end in {end for pipe in pipes for end in pipe} - {fill}:
            os.close(end)


@requirement("subprocess.childs-streams-block", MUST, cite="subprocess: Popen")
@each("fd", [0, 1, 2])
def test_the_childs_ends_of_the_pipes_block(loop: Loop, patience: Patience, fd: int) -> None:
    """Only this side of the pipes is non-blocking: a child waits at its own end, and what it writes is not cut short.

    If this fails: look for a socket pair, or a terminal, both of whose ends were set to non-blocking mode.
    """
    if fd == 0:
        with spawned(loop, patience, "echo ready; exec cat") as (transport, protocol):
            patience.run_until(loop, lambda: protocol.output[1], "the child's start")
            loop.run_until_complete(asyncio.sleep(0.005))
            transport.get_pipe_transport(0).write(b"words")
            transport.get_pipe_transport(0).close()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert (transport.get_returncode(), protocol.output) == (0, {1: b"ready\nwords"})
        return
    script = f"read line; head -c {len(BIG)} /dev/zero >&{fd}"
    with spawned(loop, patience, script) as (transport, protocol):
        transport.get_pipe_transport(fd).pause_reading()
        transport.get_pipe_transport(0).write(b"\n")
        loop.run_until_complete(asyncio.sleep(0.01))
        transport.get_pipe_transport(fd).resume_reading()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert transport.get_returncode() == 0
    assert protocol.output == {fd: bytes(len(BIG))}


@requirement("subprocess.methods-by-name", SHOULD, cite="asyncio-protocol: §Subprocess Transports")
def test_the_methods_of_a_childs_transport_take_arguments_by_name(loop: Loop, patience: Patience) -> None:
    """get_pipe_transport(), send_signal() and get_extra_info() take their arguments by the names that they have.

    If this fails: look for parameters that are taken by position only, or called by another name.
    """
    with spawned(loop, patience, "read line") as (transport, protocol):
        assert transport.get_pipe_transport(fd=1) is transport.get_pipe_transport(1)
        assert transport.get_extra_info(name="no such name", default="default") == "default"
        transport.send_signal(signal=signal.SIGTERM)
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert transport.get_returncode() == -signal.SIGTERM
