"""Loops that do one thing wrong, in a module of the directory that the race is started from."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bench import cli

LOOPS = '''
"""Loops that are wrong on purpose."""
import asyncio, ctypes, os, time

class Hangs(asyncio.SelectorEventLoop):
    """As soon as a timer is set."""
    def call_later(self, *args, **kwargs):
        time.sleep(3600)

class Crashes(asyncio.SelectorEventLoop):
    def call_later(self, *args, **kwargs):
        ctypes.string_at(0)

class Exits(asyncio.SelectorEventLoop):
    def call_later(self, *args, **kwargs):
        os._exit(7)

class Quits(asyncio.SelectorEventLoop):
    """Without a word, as if all were done."""
    def call_later(self, *args, **kwargs):
        os._exit(0)

class Drops(asyncio.SelectorEventLoop):
    """Every 500th callback of a kind that has arguments or not, but never asyncio's own."""
    dropped = 0
    def call_soon(self, callback, *args, context=None):
        if getattr(callback, "__name__", "") == "callback":
            self.dropped += 1
            if self.dropped % 500 == 0:
                return asyncio.Handle(callback, args, self)
        return super().call_soon(callback, *args, context=context)

class NoTimers(asyncio.SelectorEventLoop):
    def call_later(self, *args, **kwargs):
        raise NotImplementedError

class Echoes(asyncio.SelectorEventLoop):
    """Wrong bytes."""
    async def sock_sendall(self, sock, data):
        await super().sock_sendall(sock, bytes(len(data)))

class Plain(asyncio.SelectorEventLoop):
    """A server without TLS, whatever is asked."""
    async def create_server(self, *args, ssl=None, **kwargs):
        return await super().create_server(*args, **kwargs)

class PlainAndCrashes(Plain):
    async def create_server(self, factory, *args, ssl=None, **kwargs):
        if ssl is not None:
            self.call_later(0.05, ctypes.string_at, 0)
            factory = asyncio.Protocol
        return await super().create_server(factory, *args, **kwargs)

def no_loop():
    return object()

def raises():
    raise RuntimeError("no loop today")

def dies():
    os._exit(3)
'''


class Result(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`python -m bench` in a directory with the module `wrong`."""
    (tmp_path / "wrong.py").write_text(LOOPS)
    monkeypatch.chdir(tmp_path)

    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = cli.main([str(one) for one in arguments])
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else 1
            finally:
                signal.signal(signal.SIGTERM, before)
        return Result(status, out.getvalue(), err.getvalue())

    return run
